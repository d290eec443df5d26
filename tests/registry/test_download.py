"""A download goes on where it stopped, and only the published digest decides what is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from registry.catalogue import KNOWN_MODELS, KnownModel
from registry.errors import ModelError
from registry.models import ModelArtifact
from registry.services import import_known
from tests.portal import free_port
from tests.registry.support import model_bytes

DATA = model_bytes()


@dataclass
class Hub:
    """A server of one file on this machine, which can be told to misbehave."""

    url: str = ""
    data: bytes = DATA
    knows_ranges: bool = True
    cut_after: int | None = None
    status: int = 200
    ranges: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.ranges.append(self.headers.get("Range", ""))
            match = re.fullmatch(r"bytes=(\d+)-", hub.ranges[-1])
            start = int(match.group(1)) if match and hub.knows_ranges else 0
            partial = bool(start) or (match is not None and hub.knows_ranges)
            body = hub.data[start:]
            self.send_response((206 if partial else 200) if hub.status == 200 else hub.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if hub.cut_after is None else body[: hub.cut_after])

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}/heron.gguf"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def heron(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    model = KnownModel(
        key="heron",
        name="Heron-Instruct",
        sha256=hashlib.sha256(DATA).hexdigest(),
        size_bytes=len(DATA),
        licence="Apache-2.0",
        urls=(hub.url,),
    )
    monkeypatch.setitem(KNOWN_MODELS, "heron", model)
    return model


def part_of(store: Path) -> Path:
    return store / "downloads" / "heron.part"


def begin_with(store: Path, data: bytes) -> None:
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes(data)


def test_a_whole_download_is_imported_and_leaves_no_part(store: Path, hub: Hub, heron: KnownModel) -> None:
    artifact = import_known("heron")
    assert artifact.path.read_bytes() == DATA
    assert (artifact.source, artifact.name) == ("heron", "Heron-Instruct")
    assert list((store / "downloads").iterdir()) == []


@pytest.mark.parametrize("have", [1, 1000, len(DATA) - 1])
def test_a_broken_download_goes_on_where_it_stopped(
    have: int, store: Path, hub: Hub, heron: KnownModel
) -> None:
    begin_with(store, DATA[:have])
    assert import_known("heron").path.read_bytes() == DATA
    assert hub.ranges == [f"bytes={have}-"]


def test_a_server_without_ranges_is_asked_for_the_whole(store: Path, hub: Hub, heron: KnownModel) -> None:
    hub.knows_ranges = False
    begin_with(store, DATA[:1000])
    assert import_known("heron").path.read_bytes() == DATA


def test_a_connection_that_ends_early_keeps_what_came_for_the_next_time(
    store: Path, hub: Hub, heron: KnownModel
) -> None:
    hub.cut_after = 1500
    with pytest.raises(ModelError, match="ended early"):
        import_known("heron")
    assert part_of(store).read_bytes() == DATA[:1500]
    hub.cut_after = None
    assert import_known("heron").path.read_bytes() == DATA
    assert hub.ranges == ["bytes=0-", "bytes=1500-"]


def test_what_has_the_wrong_digest_is_refused_and_nothing_is_kept(
    store: Path, hub: Hub, heron: KnownModel
) -> None:
    hub.data = DATA[:-1] + b"X"
    with pytest.raises(ModelError, match="SHA-256"):
        import_known("heron")
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert not ModelArtifact.objects.exists()
    hub.data = DATA
    assert import_known("heron").sha256 == heron.sha256


def test_a_part_of_something_else_is_refused_by_the_digest(store: Path, hub: Hub, heron: KnownModel) -> None:
    begin_with(store, DATA[:5000] + b"X" * 1000)
    with pytest.raises(ModelError, match="SHA-256"):
        import_known("heron")
    assert not part_of(store).exists()


def test_a_server_that_never_ends_is_cut_off_soon_after_the_published_size(
    store: Path, hub: Hub, heron: KnownModel
) -> None:
    hub.data = DATA + bytes(20 << 20)
    with pytest.raises(ModelError, match="SHA-256"):
        import_known("heron")
    assert not part_of(store).exists()


@pytest.mark.parametrize("status", [403, 404, 416, 500, 503])
def test_the_next_address_is_tried_when_one_refuses(
    status: int, store: Path, hub: Hub, heron: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.status = status
    closed = f"http://127.0.0.1:{free_port()}/heron.gguf"
    monkeypatch.setitem(KNOWN_MODELS, "heron", dataclasses.replace(heron, urls=(closed, hub.url)))
    with pytest.raises(ModelError) as refused:
        import_known("heron")
    assert refused.value.detail.count("127.0.0.1") == 2
    assert "PORTAL_MODEL" in refused.value.detail
    hub.status = 200
    assert import_known("heron").sha256 == heron.sha256


def test_an_address_that_speaks_no_http_is_a_model_error(
    store: Path, heron: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 not a web server\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/heron.gguf"
        monkeypatch.setitem(KNOWN_MODELS, "heron", dataclasses.replace(heron, urls=(url,)))
        with pytest.raises(ModelError, match="could not be fetched"):
            import_known("heron")
        thread.join()


def test_the_command_says_in_one_line_that_no_address_answers(
    store: Path, heron: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"http://127.0.0.1:{free_port()}/heron.gguf"
    monkeypatch.setitem(KNOWN_MODELS, "heron", dataclasses.replace(heron, urls=(closed,)))
    with pytest.raises(CommandError, match="could not be fetched") as refused:
        call_command("model", "import", "heron")
    assert "\n" not in str(refused.value)
