"""However an answer is cut into pieces, people see what the rules make of the whole, and never part of a secret."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.engine import evaluate, redact
from policy.errors import OutputBlocked
from policy.ruleset import PolicyRule, RuleSet, make_rule_set
from policy.services import OutputScreen
from tests.policy.support import CARD, PHONE, RESIDENT_ID, RULES, rule, rules_from, streamed

FRAGMENTS = [
    PHONE, RESIDENT_ID, "110105194912310021", CARD, "4111 1111 1111 1111", "6222000000000000004", "+86", "86-", " ",
    "a", "1", "13", "号", "-", "1" * 17, "x", "４", "\u200b", "①", "e\u0301", "㎏", "\n", "ghp", "akia", "\ud83d",
    "一", "三", "八", "〇", "壹贰叁肆", "五六七八", "**", "***", "****", "_", "`", "\\-", "😀", "❶", "\ude00", "3782",
    " 822463 ", "10005", "x**",
]  # fmt: skip
TEXTS = [
    f"Ring {PHONE} now",
    f"x{PHONE}",
    f"2{PHONE}",
    f"{PHONE}9 {PHONE}",
    f"+86{PHONE}",
    "86-138 1234 5678",
    RESIDENT_ID,
    f"9{RESIDENT_ID}1",
    f"{RESIDENT_ID}{PHONE}",
    "110105194912310021",
    "4111 1111 1111 1111 2026",
    "2026 4111 1111 1111 1111",
    "6222 0000 0000 0000 004,",
    "138\u200b1234\u200b5678\u200b",
    "４１１１ 1111 1111 1111",
    "e\u0301138①2345678",
    "86 13800138000 1234 5678",
    "电话一三八一二三四五六七八。",
    "同一三八一二三四五六七八九",
    "3**13812345678**",
    "0003**1381234**5678",
    "**138**1234****5678*******9",
    "1😀3😀8😀1😀2😀3😀4😀5😀6😀7😀8",
    "13812345678\ud83d\ude00",
    "三七八二 822463 一〇〇〇五",
    r"138\-1234\-5678 \1",
    "e\u0301一\u0301三\u0301八1234567\u03018",
]


def keyword_rules(**masks: list[str]) -> RuleSet:
    """Return rules that mask these words."""
    rules = [
        PolicyRule(
            code=code,
            title={"en": code},
            kind="keywords",
            actions={"output": "redact"},
            mask=f"<{code}>",
            order=order,
            words=tuple(words),
        )
        for order, (code, words) in enumerate(masks.items())
    ]
    return make_rule_set(rules, version="test")


# Words within words, Latin and Chinese, with a blank and with a mark of their own.
APART = keyword_rules(A=["机密", "密件"], B=["机密件机密", "cab"], C=["b件", "c b", "件**"])


def every_cut(text: str) -> Iterator[list[str]]:
    """Yield the text in every possible way of pieces."""
    for cuts in itertools.product([False, True], repeat=len(text) - 1):
        places = [0, *(at + 1 for at, is_cut in enumerate(cuts) if is_cut), len(text)]
        yield [text[start:end] for start, end in itertools.pairwise(places)]


def some_cuts(text: str, rng: random.Random) -> Iterator[list[str]]:
    """Yield the text whole, letter by letter, in two at every place, and in pieces at random."""
    yield [text]
    yield list(text)
    for at in range(len(text) + 1):
        yield [text[:at], text[at:]]
    for _ in range(10):
        places = sorted(rng.choices(range(len(text) + 1), k=4))
        yield [text[start:end] for start, end in itertools.pairwise([0, *places, len(text)])]


def whole(text: str, rules: RuleSet) -> str:
    return redact(text, rules=rules, stage="output")[0]


def shown_before_a_block(pieces: list[str], rules: RuleSet = RULES) -> tuple[str, bool]:
    screen, shown = OutputScreen(rules), ""
    try:
        for piece in pieces:
            shown += screen.feed(piece).text
        shown += screen.finish().text
    except OutputBlocked:
        return shown, True
    return shown, False


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """Rules with all that makes a stream hard: word boundaries, nested, optional and repeated parts, overlaps."""
    return rules_from(
        tmp_path_factory.mktemp("rules"),
        rule("A-1", pattern=r"'\bab{1,3}\b'", input="", output='"redact"', mask='"<A>"'),
        rule("A-2", pattern="'b(?:ca|c{2,3}|b)?d'", input="", output='"redact"', mask='"<B>"'),
        rule("A-3", pattern="", keywords='["cab", "bad"]', input="", output='"redact"', mask='"<C>"'),
        rule("A-4", pattern="'^d.{0,1}[^b]'", input="", output='"redact"', mask='"<D>"'),
    )


def test_every_cut_of_short_texts_gives_what_the_whole_gives(small: RuleSet) -> None:
    rng = random.Random(7)
    texts = ["".join(rng.choices("aabbccd \u200b", k=9)) for _ in range(60)]
    changed = 0
    for text in texts:
        expected = whole(text, small)
        changed += expected != text
        for pieces in every_cut(text):
            assert streamed(pieces, small) == expected, pieces
    assert changed > 10


@settings(max_examples=600, deadline=None)
@given(st.text("机密件機 *，.。cab\u200bｂ🙂", max_size=24), st.lists(st.integers(0, 24), max_size=12))
def test_keywords_that_are_pulled_apart_mask_in_pieces_as_in_the_whole(text: str, places: list[int]) -> None:
    edges = [0, *sorted({min(place, len(text)) for place in places}), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert streamed(pieces, APART) == whole(text, APART)


# What may stand in an answer that is hard to cut: numbers in every writing, words of a blocking rule, redacting
# placeholders as they are written, Markdown, combining marks, halves of a surrogate pair.
PARTS = st.sampled_from(
    [*FRAGMENTS, "[手机号]", "[", "]", "保", "本", "息", "稳赚不赔", "机密", "★", "\u0301", "\ufe0f", "🙂"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PARTS, max_size=9).map("".join), st.lists(st.integers(0, 60), max_size=10))
def test_whatever_an_answer_holds_the_verdict_and_what_is_shown_are_those_of_the_whole(
    text: str, places: list[int]
) -> None:
    edges = [0, *sorted({min(place, len(text)) for place in places}), len(text)]
    shown, is_blocked = shown_before_a_block([text[a:b] for a, b in itertools.pairwise(edges)])
    decision = evaluate(text, RULES, stage="output")
    assert is_blocked == (decision.action == "block")
    if is_blocked:
        first = min(match.start for match in decision.matches if match.rule.actions["output"] == "block")
        assert shown in _masked_prefixes(text, first)
    else:
        assert shown == whole(text, RULES)


def _masked_prefixes(text: str, first: int) -> set[str]:
    """Return what may be shown before the character at which a blocked match begins, masked as the whole is."""
    return {whole(text[:at], RULES) for at in range(first + 1)}


@pytest.mark.parametrize("text", TEXTS)
def test_the_default_rules_mask_in_pieces_as_in_the_whole(text: str) -> None:
    expected = whole(text, RULES)
    for pieces in some_cuts(text, random.Random(ascii(text))):
        assert streamed(pieces, RULES) == expected, pieces


def test_fragments_thrown_together_mask_in_pieces_as_in_the_whole() -> None:
    rng = random.Random(11)
    for _ in range(250):
        text = "".join(rng.choices(FRAGMENTS, k=rng.randint(1, 7)))
        expected = whole(text, RULES)
        for pieces in itertools.islice(some_cuts(text, rng), 1, None, 5):
            assert streamed(pieces, RULES) == expected, pieces


@pytest.mark.parametrize(
    ("before", "secret"),
    [
        ("The mark is ", "TOP SECRET//"),
        ("级别：", "机\u200b密★"),
        ("Buy: ", "guaranteed risk-free return"),
        ("**", "保****本****保****息"),
        ("买吧，", "保`本`保\u0301息"),
        ("Key ", "AKIAABCDEFGHIJKLMNOP"),
        ("Look:\n", "-----BEGIN RSA PRIVATE KEY-----"),
        ("", "ＳＥＣＲＥＴ//noforn"),
    ],
)
def test_nothing_of_what_is_blocked_is_ever_shown(before: str, secret: str) -> None:
    text = f"{before}{secret} and more"
    for pieces in some_cuts(text, random.Random(3)):
        shown, is_blocked = shown_before_a_block(pieces)
        assert is_blocked, pieces
        assert before.startswith(shown), pieces


def test_after_a_block_nothing_more_comes_out() -> None:
    screen = OutputScreen(RULES)
    with pytest.raises(OutputBlocked):
        screen.feed("机密★ ")
    for _ in range(2):
        with pytest.raises(OutputBlocked) as again:
            screen.feed("harmless words")
    with pytest.raises(OutputBlocked):
        screen.finish()
    assert again.value.decision.rule is not None
    assert again.value.decision.rule.code == "SEC-MARK-01"


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_block_names_the_places_in_the_answer_as_it_was_written(size: int) -> None:
    text = f"Ring {PHONE}, \u200b机\u200b密★ now"
    with pytest.raises(OutputBlocked) as refused:
        streamed([text[start : start + size] for start in range(0, len(text), size)], RULES)
    decision = refused.value.decision
    assert (decision.action, decision.rule and decision.rule.code) == ("block", "SEC-MARK-01")
    assert [text[start:end] for start, end in decision.spans] == ["机\u200b密★"]


def test_what_only_looks_like_a_key_until_it_goes_on_is_not_blocked() -> None:
    text = "AKIAABCDEFGHIJKLMNOPQ"
    assert evaluate(text, RULES, stage="output").action == "allow"
    for pieces in some_cuts(text, random.Random(5)):
        assert streamed(pieces, RULES) == text


@pytest.mark.parametrize(
    ("piece", "held"),
    [
        ("The heron waits. ", ""),
        ("苍鹭在河边等鱼。", ""),
        ("It is 2026, ", ""),
        ("number 0", ""),
        ("they are many", ""),
        ("It ends with a digit 1", "1"),
        ("Ring 138 ", "138 "),
        ("Ring 138 a", "a"),
        ("x138", ""),
        ("保", "保"),
        ("确保", "保"),
        ("担保。", "保。"),
        ("担保。。。。", ""),
        ("cats", "s"),
        ("--", "--"),
    ],
)
def test_no_more_is_held_back_than_may_begin_a_match(piece: str, held: str) -> None:
    rules = rules_without_identity_numbers() if piece == "x138" else RULES
    shown = OutputScreen(rules).feed(piece).text
    assert piece == shown + held


def rules_without_identity_numbers() -> RuleSet:
    """An identity number may begin with any digit but 0, in the middle of a word; a phone number may not."""
    return make_rule_set([rule for rule in RULES.rules if rule.code != "PII-ID-01"], version=RULES.version)


def test_the_screen_tells_which_rules_masked_something() -> None:
    screen = OutputScreen(RULES)
    for piece in (PHONE, ", ", RESIDENT_ID, ", ", PHONE, " "):
        screen.feed(piece)
    screen.finish()
    assert screen.redacted_by == ("PII-PHONE-01", "PII-ID-01")


def test_a_rule_that_only_flags_changes_no_stream(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, rule(input="", output='"flag"', pattern="'[a-z]{1,100}'"))
    screen = OutputScreen(rules)
    assert screen.feed("heron").text == "heron"
    assert screen.redacted_by == ()
