"""Give each test its own key file and tenant, and start a PostgreSQL server where one is asked for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crypto.conftest import own_keys  # noqa: F401 - an autouse fixture
from tests.flushing import lift_guards_while_flushing

lift_guards_while_flushing()


@pytest.fixture
def tenant_id() -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """Start a server of our own on a free port of this machine; it is gone with the tests."""
    binaries = _postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(folder, owner)
    data, port = folder / "data", _free_port()

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=owner, capture_output=True, cwd=folder)

    run(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = str(binaries / "pg_ctl")
    run(control, "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path))
    if not found:
        pytest.skip("PostgreSQL is not installed on this machine")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
