"""Run the providers and arrange them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.portal import REPOSITORY, free_port

START_TIMEOUT_S = 60


class Providers:
    """The running site: `issuer` and `cas` are its addresses, `arrange` changes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.issuer = f"http://127.0.0.1:{port}"
        # The same provider under another name: another issuer, with the same keys.
        self.other_issuer = f"http://localhost:{port}"
        self.cas = f"{self.issuer}/cas/"

    def arrange(self, **wanted: Any) -> dict[str, str]:
        """Set people, clients and twists; return the subject of each person."""
        answer = requests.post(f"{self.issuer}/arrange/", json=wanted, timeout=10)
        answer.raise_for_status()
        subjects: dict[str, str] = answer.json()
        return subjects

    def sign(self, claims: dict[str, Any], **how: Any) -> str:
        """Return a token with the provider's key; `header` and `algorithm` may differ from the usual."""
        return self.arrange(sign={"claims": claims} | how)["token"]


@contextmanager
def running_providers() -> Iterator[Providers]:
    """Start the site on a free loopback port and end it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="providers-"))
    port = free_port()
    environment = os.environ | {"PROVIDERS_DIR": str(folder), "PYTHONWARNINGS": "ignore"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.providers.site_serve", str(port)],
            cwd=REPOSITORY,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait(process, port, folder / "log")
        yield Providers(port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            requests.get(
                f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=5
            ).raise_for_status()
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return
