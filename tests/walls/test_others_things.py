"""What is one person's, or one organisation's, is nobody else's: what the table cannot say in a status."""

from __future__ import annotations

from accounts.models import User
from audit.models import AuditEvent
from chat.models import Conversation
from tests.conftest import Cast
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of
from tests.walls.people import scope_of
from tests.walls.stage import Stage
from tests.walls.table import ROWS

TITLE = "A heron at dawn"


def test_erasing_everything_erases_ones_own_only(stage: Stage) -> None:
    people = stage.people
    for person in (people.colleague, people.outside_member):
        assert browser(person).post("/c/clear/", {"confirm": "delete"}).status_code == 302
    with scope_of(people.owner):
        assert Conversation.objects.filter(pk=stage.things["conversation"]).exists()
    assert browser(people.owner).post("/c/clear/", {"confirm": "delete"}).status_code == 302
    with scope_of(people.owner):
        assert not Conversation.objects.exists()


def test_nobody_finds_the_title_on_any_page_but_the_owner(stage: Stage) -> None:
    wrong = []
    for row in ROWS:
        for who in (who for who, status in row.statuses.items() if (row.method, status) == ("GET", 200)):
            is_own = who == "owner" and row.name in ("chat:home", "chat:conversation")
            if (TITLE in stage.ask(row, who).text) != is_own:
                wrong.append(f"{row} by {who}")
    assert not wrong, "\n".join(wrong)


def test_a_refused_page_stands_in_the_log(cast: Cast) -> None:
    browser(cast.admin).get("/audit/")
    event = AuditEvent.objects.get(tenant_id=tenant_of(cast.admin), action="access.denied")
    assert (event.object_type, event.object_id, event.outcome, event.status) == (
        "permission",
        "audit.read",
        "refused",
        404,
    )


def test_an_auditor_reads_the_log_of_one_organisation_only(cast: Cast) -> None:
    """Both chains have events of these numbers; what stands in them is each organisation's own."""
    auditors = (cast.auditor, cast.outside_auditor)
    for path in ("/audit/", "/audit/1/"):
        for auditor in auditors:
            browser(auditor).get(path)
        pages = [browser(auditor).get(path).text for auditor in auditors]
        names = [pseudonyms(auditor) for auditor in auditors]
        for own, other in ((0, 1), (1, 0)):
            mine, theirs = names[own] - names[other], names[other] - names[own]
            assert mine
            assert all(name in pages[own] for name in mine)
            assert not any(name in pages[own] for name in theirs)


def pseudonyms(auditor: User) -> set[str]:
    """Return the actors of the auditor's chain as the page shows them."""
    events = AuditEvent.objects.filter(tenant_id=tenant_of(auditor)).exclude(actor="")
    return {actor[:10] for actor in events.values_list("actor", flat=True)}
