"""Run the portal as its operators do: a real process, on a free port, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
PASSWORD = "a quiet heron by the river"
START_TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PortalProcess:
    """One installation: `start`, `stop`, `kill`, and `manage` for its commands."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.command = [sys.executable, "manage.py", "quickstart"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir.parent / f"{data_dir.name}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        self.environment = kept | {
            "PORTAL_DATA_DIR": str(data_dir),
            "PORTAL_PORT": str(self.port),
            "PORTAL_LANGUAGE": "en",
            "PORTAL_RATE_PER_MINUTE": "1000",
            "PORTAL_THREADS": "1",
            "PORTAL_STANDBY": "off",
            "QUICKSTART_PASSWORD": PASSWORD,
            "CI": "true",
            "PYTHONFAULTHANDLER": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> psutil.Process:
        """Return the server process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def worker(self) -> psutil.Process:
        """Return the engine's process."""
        workers = [
            child for child in self.process.children() if "inference.worker" in " ".join(child.cmdline())
        ]
        assert len(workers) == 1, workers
        return workers[0]

    def start(self) -> PortalProcess:
        """Start and return when a turn could run."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)
        return self

    def is_ready(self) -> bool:
        """Return whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(json.load(response)["status"] == "ready")
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, timeout_s: float) -> None:
        """Return when ready; fail after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """End the server and return its exit code; no child may be left."""
        if self._process is None or self._process.poll() is not None:
            return 0
        children = self.process.children(recursive=True)
        self._process.send_signal(how)
        code = self._process.wait(20)
        _gone, alive = psutil.wait_procs(children, timeout=5)
        assert not alive, alive
        return code

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.stop(signal.SIGKILL)

    def manage(self, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a management command of this installation."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self.environment | more, capture_output=True, text=True, check=check
        )

    def add_account(self, login: str, *, tenant: str = "demo", role: str = "member") -> None:
        """Create an account with the usual password."""
        self.manage("account", "create", login, "--tenant", tenant, "--role", role, ACCOUNT_PASSWORD=PASSWORD)
