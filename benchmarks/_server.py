"""Start and stop a portal as an operator would, in a folder of its own, and look at its web process from outside."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks._figures import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
ORGANISATION = "demo"
START_TIMEOUT_S = 120
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in."""

    name: str
    password: str


class Installation:
    """One data folder with keys, database, model and members."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.password = secrets.token_urlsafe(16)
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PORTAL_", "DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"))
        } | {
            "PORTAL_DATA_DIR": str(self.data_dir),
            "QUICKSTART_PASSWORD": self.password,
            "ACCOUNT_PASSWORD": self.password,
            "PORTAL_RATE_PER_MINUTE": "6000",
            "PORTAL_LANGUAGE": "en",
            # What is measured is a second start: its byte code is there, wherever this installation keeps it.
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        }

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        """Return the environment of a process of this installation."""
        return self._environment | settings

    def set_up(self, model: Path | None) -> Path:
        """Make keys, database, demo organisation and model; return the model's file in the portal's store."""
        settings = {"PORTAL_MODEL": str(model)} if model else {}
        self._manage("quickstart", "--no-serve", *([] if model else ["--model", "starter"]), **settings)
        return next((self.data_dir / "models").glob("*.gguf"))

    def create_members(self, count: int) -> list[Login]:
        """Create that many members with `manage.py account create`."""
        logins = [Login(f"bench{number:02}", self.password) for number in range(count)]
        with ThreadPoolExecutor(2) as two_at_once:
            list(two_at_once.map(self._create_member, logins))
        return logins

    def _create_member(self, login: Login) -> None:
        self._manage("account", "create", login.name, "--tenant", ORGANISATION, "--role", "member")

    def run_script(self, code: str) -> str:
        """Run Python within the installation, as nobody does but a benchmark; return what it prints."""
        return self._manage("shell", "-v", "0", "-c", code)

    def _manage(self, *arguments: str, **settings: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


class Portal:
    """A portal that runs. Use it in a `with` block; `healthy_s` and `ready_s` count from the start of the process."""

    def __init__(self, installation: Installation, settings: dict[str, str]) -> None:
        self.port = _free_port()
        self.healthy_s = self.ready_s = 0.0
        self._log = installation.data_dir.parent / f"server-{self.port}.log"
        started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart"],
                cwd=ROOT,
                env=installation.environment(settings | {"PORTAL_PORT": str(self.port)}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._web = psutil.Process(self._process.pid)
        try:
            self.healthy_s = self._wait("/healthz", since=started)
            self.ready_s = self._wait("/readyz", since=started)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Portal:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def cpu_s(self) -> float:
        """Return the processor time of the web process so far, without its children: the worker is one."""
        times = self._web.cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        """Return the resident memory of the web process in MB (10⁶ bytes)."""
        return float(self._web.memory_info().rss) / 1e6

    def stop(self) -> None:
        """End the portal as Ctrl-C does, and its process for good if it stays."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, path: str, *, since: float) -> float:
        while time.perf_counter() - since < START_TIMEOUT_S:
            if self._process.poll() is not None:
                break
            if self._answers(path):
                return time.perf_counter() - since
            time.sleep(POLL_S)
        raise BenchmarkError(f"the portal does not answer at {path}:\n{self._log.read_text()[-2000:]}")

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
