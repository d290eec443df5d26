"""Knock at the portal as a browser or a program does, over one kept connection, and time what answers."""

from __future__ import annotations

import http.client
import re
import time
import urllib.parse

from accounts.hashing import PortalArgon2Hasher
from benchmarks._figures import BenchmarkError

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
LOGIN = "/accounts/login/"


class Door:
    """One client with its cookies."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._origin = f"http://127.0.0.1:{port}"
        self._cookies: dict[str, str] = {}
        self._csrf = ""

    def ready(self) -> Door:
        """Fetch the sign-in form. Raises BenchmarkError."""
        found = _TOKEN.search(self.get(LOGIN))
        if found is None:
            raise BenchmarkError("the sign-in page has no form")
        self._csrf = found.group(1)
        return self

    def sign_in(self, organisation: str, login: str, password: str) -> float:
        """Send the form and return how many seconds its answer took. Raises BenchmarkError."""
        if not self._csrf:
            self.ready()
        fields = {"organisation": organisation, "login": login, "password": password}
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": self._csrf})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": self._origin + LOGIN}
        began = time.perf_counter()
        status, _text = self._ask("POST", LOGIN, body, headers)
        took = time.perf_counter() - began
        if status != 302:
            raise BenchmarkError(f"signing in was answered with {status}")
        return took

    def get(self, path: str, *, token: str = "") -> str:
        """Return a page. Raises BenchmarkError for any other answer than 200."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, text = self._ask("GET", urllib.parse.quote(path, safe="/?=&%"), "", headers)
        if status != 200:
            raise BenchmarkError(f"{path} was answered with {status}")
        return text

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        sent = headers | ({"Cookie": cookies} if cookies else {})
        self._connection.request(method, path, body or None, sent)
        response = self._connection.getresponse()
        for header in response.headers.get_all("Set-Cookie") or []:
            name, _equals, value = header.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response.status, response.read().decode("utf-8", "replace")


def bare_hashes_per_s(rounds: int) -> float:
    """Return how often a second this machine compares a password with the portal's hasher and nothing else."""
    hasher = PortalArgon2Hasher()
    encoded = hasher.encode("a quiet heron", hasher.salt())
    began = time.perf_counter()
    for _ in range(rounds):
        hasher.verify("a quiet heron", encoded)
    return rounds / (time.perf_counter() - began)
