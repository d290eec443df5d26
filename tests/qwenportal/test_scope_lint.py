"""The lint names each way around the tenant scope, and no way that stays inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import lint


@pytest.mark.parametrize(
    "line",
    [
        "Message.objects.raw('SELECT 1')",
        "Message._base_manager.all()",
        "connection.cursor()",
        "connections['default'].cursor()",
        "Message.objects.using('default').all()",
        "models.Manager()",
        "models.QuerySet(Message)",
        "Message.objects.extra(where=['1 = 1'])",
        "rows._raw_delete(using=None)",
        "Manager()",
        "QuerySet(Message)",
        "QuerySet(model=Message).all()",
        "sql.Query(Message)",
        "row.save_base(raw=True)",
        "models.Model.save(row)",
        "models.Model.delete(row)",
        "Message.objects.annotate(x=RawSQL('SELECT 1', []))",
        "Collector(using='default')",
        "row._do_update(None, None, None, [], None, None)",
        "connection.connection.executescript('DELETE FROM chat_message')",
    ],
)
def test_a_way_around_the_scope_is_named(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "REPOSITORY", tmp_path)
    path = tmp_path / "chat" / "services.py"
    path.parent.mkdir()
    path.write_text(f"{line}\n")
    assert len(list(lint.around_scope(path))) == 1
    path.write_text("Message.objects.filter(pk=1).update(status='x')\ntransaction.atomic(using='default')\n")
    assert not list(lint.around_scope(path))


def test_the_portal_takes_none() -> None:
    assert [line for path in lint.written_files() for line in lint.around_scope(path)] == []


@pytest.mark.parametrize("name", sorted(lint.MAY_USE_CURSORS | lint.MAY_GO_AROUND))
def test_no_file_may_more_than_it_needs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "MAY_USE_CURSORS", set())
    monkeypatch.setattr(lint, "MAY_GO_AROUND", set())
    assert list(lint.around_scope(lint.REPOSITORY / name))
