"""The chat page does its part of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ui.stage import ANSWER, CONVERSATION, MINE, TURN, Behaviour, Frame, Stage, chat_page, kept_chat

pytestmark = pytest.mark.browser
CHROMIUM = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUM += ["--disable-component-update", "--disable-sync"]
LAST, LIVE, NOTE = ".msg:last-child", ".live", "#slot .note"
FIELD = ".composer textarea"

OpenStage = Callable[[str, Behaviour], Stage]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def open_stage(browser: Browser) -> Iterator[OpenStage]:
    """Return what opens a page; afterwards no page may have complained of an error or a policy breach."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    stages: list[Stage] = []

    def opened(html: str, behaviour: Behaviour) -> Stage:
        stages.append(Stage(context.new_page(), html, behaviour))
        stages[-1].go()
        return stages[-1]

    yield opened
    complaints = [complaint for stage in stages for complaint in stage.complaints]
    context.close()
    assert complaints == []


def ask(page: Page, text: str) -> None:
    page.fill(FIELD, text)
    page.press(FIELD, "Enter")


def silent(_stage: Stage, _frame: Frame) -> None:
    """Say nothing."""


def begin_only(stage: Stage, frame: Frame) -> None:
    """Begin every answer with three pieces and leave it open; go on at the second when resumed."""
    if frame["type"] == "chat.send":
        stage.start(frame)
        for seq in (1, 2, 3):
            stage.say("turn.delta", seq=seq, text=f"piece{seq} ")
    if frame["type"] == "chat.resume":
        for seq in (2, 3, 4):
            stage.say("turn.delta", seq=seq, text=f"piece{seq} ")


def answer(stage: Stage, frame: Frame) -> None:
    """Answer everything in twenty-four pieces."""
    if frame["type"] in {"chat.send", "chat.edit", "chat.regenerate"}:
        stage.start(frame)
        for seq in range(1, 25):
            stage.say("turn.delta", seq=seq, text="word ")
        stage.finish(frame)


def refuse(**fields: object) -> Behaviour:
    def refusing(stage: Stage, frame: Frame) -> None:
        if frame["type"] in {"chat.send", "chat.edit", "chat.regenerate"}:
            stage.say("turn.refused", **({"id": frame["id"], "turn": None, "retry_after_ms": None} | fields))

    return refusing


def test_a_new_chat_gets_its_address_title_and_place_in_the_list(open_stage: OpenStage) -> None:
    page = open_stage(chat_page(), answer).page
    ask(page, "Hello")
    expect(page.locator(f"{LAST} .prose strong")).to_have_text("you")
    assert page.url.endswith(f"/{CONVERSATION}/")
    expect(page.locator("h1:visible")).to_have_text(["A new title"])
    expect(page.locator(".conv a")).to_have_text(["A new title"])
    expect(page.locator(".stat")).to_have_text("52 tokens · first token 1.2 s · 11.4 tok/s")
    expect(page.locator("#said")).to_have_text("The answer is complete.")


def test_pieces_are_acknowledged_at_least_every_eight(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), answer)
    ask(stage.page, "Hello")
    expect(stage.page.locator(f"{LAST} .stat")).to_be_visible()
    acked = [frame["seq"] for frame in stage.sent("ack")]
    assert acked[-1] >= 24 - 8
    assert all(later - earlier <= 8 for earlier, later in zip([0, *acked], acked, strict=False))


def test_pieces_are_text_and_never_markup(open_stage: OpenStage) -> None:
    def hostile(stage: Stage, frame: Frame) -> None:
        if frame["type"] == "chat.send":
            stage.start(frame)
            stage.say("turn.delta", seq=1, text="<img src=x onerror=alert(1)>")

    page = open_stage(chat_page(), hostile).page
    ask(page, "Hello")
    expect(page.locator(LIVE)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".msg img")).to_have_count(0)


def test_escape_stops_the_answer(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), begin_only)
    ask(stage.page, "Hello")
    expect(stage.page.locator(LIVE)).to_contain_text("piece3")
    stage.page.keyboard.press("Escape")
    expect(stage.page.locator(".halt")).to_be_visible()
    stage.page.wait_for_timeout(100)
    assert [frame["turn"] for frame in stage.sent("chat.stop")] == [TURN]


def test_enter_is_not_sent_while_an_input_method_composes(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), silent)
    stage.page.fill(FIELD, "nihao")
    compose = (
        "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true})"
    )
    stage.page.evaluate(f"document.querySelector('{FIELD}').dispatchEvent({compose})")
    stage.page.press(FIELD, "Shift+Enter")
    stage.page.wait_for_timeout(100)
    assert stage.sent("chat.send") == []


def test_a_cut_socket_resumes_without_loss_or_repetition(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), begin_only)
    ask(stage.page, "Hello")
    expect(stage.page.locator(LIVE)).to_contain_text("piece3")
    stage.drop(1012)
    expect(stage.page.locator(NOTE)).to_contain_text("restarting")
    expect(stage.page.locator(LIVE)).to_contain_text("piece4", timeout=5000)
    assert stage.page.inner_text(LIVE).split() == ["piece1", "piece2", "piece3", "piece4"]
    assert [frame["after"] for frame in stage.sent("chat.resume")] == [3]
    expect(stage.page.locator(NOTE)).to_have_count(0)


def test_a_running_turn_is_taken_up_when_the_page_loads(open_stage: OpenStage) -> None:
    running = {"id": ANSWER, "author": "ai", "html": "", "status": "running"}
    html = chat_page(conversation={"id": CONVERSATION, "title": "T"}, entries=[running], running_turn=TURN)
    stage = open_stage(html, begin_only)
    expect(stage.page.locator(LIVE)).to_contain_text("piece2 piece3 piece4")
    assert [(frame["turn"], frame["after"]) for frame in stage.sent("chat.resume")] == [(TURN, 0)]
    expect(stage.page.locator(".msg")).to_have_count(1)


def test_a_blocked_message_is_blacked_out_and_comes_back_to_the_field(open_stage: OpenStage) -> None:
    reason = {"code": "PII-01", "title": "An identity number", "spans": [[6, 10]]}
    page = open_stage(chat_page(), refuse(code="blocked", message="Not sent.", reason=reason)).page
    ask(page, "😀 my: 1234, please")
    expect(page.locator(".bubble")).to_have_text("😀 my: ••••, please")
    expect(page.locator(".sealed")).to_contain_text("PII-01")
    page.click('[data-act="rewrite"]')
    expect(page.locator(FIELD)).to_have_value("😀 my: 1234, please")
    expect(page.locator(".msg")).to_have_count(0)


def test_a_blocked_answer_is_withdrawn_and_not_labelled_as_ai(open_stage: OpenStage) -> None:
    def withdraw(stage: Stage, frame: Frame) -> None:
        if frame["type"] == "chat.send":
            stage.start(frame)
            stage.say("turn.delta", seq=1, text="a promise")
            stage.finish(frame, "blocked", html="", reason={"code": "OUT-01", "title": "No promises"})

    page = open_stage(chat_page(), withdraw).page
    ask(page, "Hello")
    expect(page.locator(f"{LAST} .sealed")).to_contain_text("OUT-01 No promises")
    expect(page.locator(LAST)).not_to_contain_text("a promise")
    expect(page.locator(f"{LAST} .aigc")).to_have_count(0)


def test_a_rate_limit_counts_down_and_keeps_the_draft(open_stage: OpenStage) -> None:
    behaviour = refuse(code="rate_limited", message="Too often.", retry_after_ms=1500)
    page = open_stage(kept_chat(), behaviour).page
    ask(page, "Once more")
    expect(page.locator(NOTE)).to_contain_text("Too often.")
    expect(page.locator(FIELD)).to_have_value("Once more")
    expect(page.locator("#send")).to_be_disabled()
    expect(page.locator(".msg")).to_have_count(2)
    expect(page.locator("#send")).to_be_enabled(timeout=4000)


def test_a_refused_regeneration_brings_the_old_answer_back(open_stage: OpenStage) -> None:
    stage = open_stage(kept_chat(), refuse(code="queue_full", message="Full."))
    stage.page.click(f'{LAST} [data-act="regenerate"]')
    expect(stage.page.locator(NOTE)).to_contain_text("Full.")
    expect(stage.page.locator(f"{LAST} .prose")).to_have_text("A bird.")
    assert [frame["message"] for frame in stage.sent("chat.regenerate")] == [ANSWER]


def test_the_arrow_up_edits_the_last_message_and_replaces_its_answer(open_stage: OpenStage) -> None:
    stage = open_stage(kept_chat(), answer)
    stage.page.focus(FIELD)
    stage.page.keyboard.press("ArrowUp")
    expect(stage.page.locator(FIELD)).to_have_value("What is a heron?")
    ask(stage.page, "What is an egret?")
    expect(stage.page.locator(f"{LAST} .prose strong")).to_have_text("you")
    assert [(frame["message"], frame["text"]) for frame in stage.sent("chat.edit")] == [
        (MINE, "What is an egret?")
    ]
    expect(stage.page.locator(".msg")).to_have_count(2)


def test_a_queued_message_shows_its_place_and_can_be_cancelled(open_stage: OpenStage) -> None:
    def queue(stage: Stage, frame: Frame) -> None:
        if frame["type"] == "chat.send":
            stage.say("turn.queued", id=frame["id"], position=3, eta_ms=8000)
        if frame["type"] == "chat.stop":
            stage.finish(stage.sent("chat.send")[0], "stopped", html="")

    page = open_stage(chat_page(), queue).page
    ask(page, "Hello")
    expect(page.locator(".queue")).to_contain_text("place 3 · about 8 s")
    page.click('.queue [data-act="stop"]')
    expect(page.locator(FIELD)).to_have_value("Hello")
    expect(page.locator(".hello")).to_be_visible()


def test_a_temporary_chat_is_sent_as_such_and_stays_out_of_the_list(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), answer)
    stage.page.check("#temporary")
    ask(stage.page, "Hello")
    expect(stage.page.locator(f"{LAST} .stat")).to_be_visible()
    assert [frame["temporary"] for frame in stage.sent("chat.send")] == [True]
    expect(stage.page.locator(".conv")).to_have_count(0)
    assert stage.page.url.endswith("/?temporary=1")


def test_what_is_not_stored_is_asked_again_and_never_edited_or_regenerated(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(temporary=True), answer)
    for _ in range(2):
        ask(stage.page, "Hello")
        expect(stage.page.locator(f"{LAST} .stat")).to_be_visible()
        expect(
            stage.page.locator('.msg :is([data-act="edit"], [data-act="regenerate"]):visible')
        ).to_have_count(0)
    stage.page.focus(FIELD)
    stage.page.keyboard.press("ArrowUp")
    expect(stage.page.locator(FIELD)).to_have_value("Hello")
    stage.page.press(FIELD, "Enter")
    expect(stage.page.locator(".msg")).to_have_count(6)
    assert [frame["type"] for frame in stage.frames if frame["type"] != "ack"] == ["chat.send"] * 3


def test_a_page_that_is_not_understood_says_so_and_does_not_come_back(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), begin_only)
    ask(stage.page, "Hello")
    expect(stage.page.locator(LIVE)).to_contain_text("piece3")
    stage.page.fill(FIELD, "A draft")
    stage.drop(4400)
    expect(stage.page.locator(NOTE)).to_contain_text("could not understand this page")
    expect(stage.page.get_by_role("link", name="Load again")).to_be_visible()
    stage.page.evaluate("window.dispatchEvent(new Event('online'))")
    stage.page.wait_for_timeout(1200)
    assert stage.connections == 1
    expect(stage.page.locator(LAST)).to_contain_text("piece3")
    expect(stage.page.locator(FIELD)).to_have_value("A draft")
    expect(stage.page.locator("#send")).to_be_disabled()


def test_too_long_a_message_is_not_sent(open_stage: OpenStage) -> None:
    stage = open_stage(chat_page(), silent)
    ask(stage.page, "😀" * 201)
    expect(stage.page.locator(NOTE)).to_contain_text("201 of 200")
    stage.page.fill(FIELD, "😀" * 200)
    expect(stage.page.locator("#send")).to_be_enabled()
    assert stage.sent("chat.send") == []


def test_a_copied_answer_says_that_it_is_from_ai(open_stage: OpenStage) -> None:
    page = open_stage(kept_chat(), silent).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click(f"{LAST} [data-copy]")
    assert page.evaluate("navigator.clipboard.readText()") == "A bird.\n\nAI-generated"


@pytest.mark.parametrize(("code", "address"), [(4401, "/accounts/login/"), (4403, "/consent/")])
def test_a_socket_that_is_shut_leads_to_the_door(open_stage: OpenStage, code: int, address: str) -> None:
    stage = open_stage(chat_page(), silent)
    stage.drop(code)
    stage.page.wait_for_url(f"**{address}*")
