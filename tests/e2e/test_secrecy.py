"""What people say is in no file, no log and no audit row; the audit chain tells when it was touched."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from tests.client import Client
from tests.portal import PortalProcess

CANARIES = ("zanzibarkestrel", "quoxmarmalade", "titlefandango")


def files_with(folder: Path, word: str) -> list[Path]:
    """Return the files below a folder that hold the word, in UTF-8 or UTF-16."""
    needles = (word.encode(), word.encode("utf-16-le"))
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".gguf"
        and any(needle in path.read_bytes() for needle in needles)
    ]


async def test_prompt_answer_and_title_are_in_no_file_and_no_log(own_portal: PortalProcess) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        # The scripted engine repeats the question's words, so the canary is in the answer too.
        turn = await socket.ask(f"Tell me about {CANARIES[0]} and {CANARIES[1]}.")
        assert CANARIES[0] in turn.text
        await socket.ask(f"{CANARIES[1]} for now only", temporary=True)
        # A refused prompt, a malformed frame and an unknown type must not be logged either.
        await socket.ask(f"{CANARIES[0]} 绝密★ {CANARIES[1]}")
        await socket.send("chat.send", text=[CANARIES[0]])
        await socket.receive()
    client.post(f"/c/{turn.conversation}/rename/", form_on=f"/c/{turn.conversation}/", title=CANARIES[2])
    assert CANARIES[2] in client.get(f"/c/{turn.conversation}/").text
    own_portal.stop()
    for word in CANARIES:
        assert files_with(own_portal.data_dir, word) == []
        assert word not in own_portal.log.read_text()


async def test_verify_is_clean_and_names_the_first_event_that_was_changed(own_portal: PortalProcess) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.ask("one two three")
    own_portal.stop()
    clean = own_portal.manage("audit", "verify", check=False)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    target = _flip_a_byte(own_portal.data_dir / "portal.sqlite3")
    broken = own_portal.manage("audit", "verify", check=False)
    assert broken.returncode == 1
    assert str(target) in broken.stdout + broken.stderr


def _flip_a_byte(database: Path) -> int:
    """Change one byte of one event in the file itself, past every trigger; return the event's number."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        seq, digest = connection.execute(
            "SELECT seq, hash FROM audit_auditevent WHERE action = 'chat.request' LIMIT 1"
        ).fetchone()
    connection.close()
    content = bytearray(database.read_bytes())
    at = content.index(b"chat.request", content.index(digest.encode()) - 600)
    content[at] ^= 1
    shutil.copy(database, database.with_suffix(".before"))
    database.write_bytes(content)
    return int(seq)
