"""Measure the door and the list of people: sign-ins, pages at 100,000 users, the sign-in page, API tokens.

    .venv/bin/python benchmarks/access.py [--quick] [--check]

Everything is asked of a running portal over HTTP; everything it makes is in a temporary folder that is removed at the
end. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from anywhere

from benchmarks import _settings
from benchmarks._access_door import Door, bare_hashes_per_s
from benchmarks._access_people import LARGE, SMALL, People, fill
from benchmarks._figures import percentile, quartiles
from benchmarks._page import weigh
from benchmarks._report import Goal, Report, Row
from benchmarks._server import ROOT, Installation, Portal

PEOPLE_AT_ONCE = 4
STARTER = ROOT / "var" / "test-models" / "starter.gguf"
PAGES = {
    "first page": "/console/users/",
    "page in the middle": "/console/users/?after={middle}",
    "search, few found": "/console/users/?q=000500",
    "search, nobody found": "/console/users/?q=nobody-is-called-this",
    "search, many found": "/console/users/?q=营业部",
    "disabled ones": "/console/users/?state=disabled",
}


def main() -> int:
    """Measure, print, and with `--check` return 1 when a goal is missed."""
    # An end from outside shall end the portal as well: leave through every `with` block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    rounds = 12 if options.quick else 60
    began, load = time.monotonic(), os.getloadavg()[0]
    assert _settings.IS_READY
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        installation = Installation(Path(folder))
        installation.set_up(STARTER if STARTER.is_file() else None)
        people = fill(installation)
        report = Report(
            f"Access benchmark, {time.strftime('%Y-%m-%d %H:%M')}: {len(os.sched_getaffinity(0))} cores, "
            f"load {load:.1f} before; {SMALL:,} and {LARGE:,} people, SQLite\n"
        )
        settings = {"PORTAL_ENGINE": "scripted", "PORTAL_API_PER_MINUTE": "60000"}
        with Portal(installation, settings) as portal:
            _report_sign_ins(report, portal, installation, rounds=rounds)
            _report_lists(report, portal, installation, people, rounds=rounds)
            _report_page(report, portal)
            _report_tokens(report, portal, people, rounds=rounds * 4)
    report.section(f"Took {time.monotonic() - began:.0f} s.")
    report.print()
    return 1 if options.check and report.missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the door and the list of people.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less steady")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    return parser.parse_args()


def _report_sign_ins(report: Report, portal: Portal, installation: Installation, *, rounds: int) -> None:
    """Compare whole sign-ins, several people at a time, with hashing the same password as often on one core.

    The portal compares one password at a time; what else a sign-in takes can overlap with the next one's hash.
    """
    bare = bare_hashes_per_s(rounds)
    with ThreadPoolExecutor(PEOPLE_AT_ONCE) as people:
        doors = list(people.map(lambda _: Door(portal.port).ready(), range(rounds)))
        began = time.perf_counter()
        times = list(people.map(lambda door: door.sign_in("demo", "member", installation.password), doors))
        per_s = rounds / (time.perf_counter() - began)
    report.section(
        f"Sign-ins, {PEOPLE_AT_ONCE} people at a time, with session and audit event (baseline: bare Argon2id)"
    )
    report.add(
        Row(
            figure="sign-ins per second",
            value=per_s,
            unit="/s",
            baseline=bare,
            ratio=per_s / bare,
            goal=Goal("≥", 0.5, of="ratio"),
        ),
        Row(figure="  one sign-in, p95", value=percentile(times, 95) * 1e3, unit="ms"),
    )


def _report_lists(
    report: Report, portal: Portal, installation: Installation, people: People, *, rounds: int
) -> None:
    """Compare each page of the large organisation with the same page of the small one."""
    doors = {}
    for code in ("small", "large"):
        doors[code] = Door(portal.port)
        doors[code].sign_in(code, "boss", installation.password)
    report.section(f"Pages of the list, p95, at {LARGE:,} people (baseline: at {SMALL:,})")
    for name, path in PAGES.items():
        small, large = (
            _milliseconds(doors[code], path.format(middle=people.middle[code]), rounds)
            for code in ("small", "large")
        )
        at_95, base_95 = percentile(large, 95), percentile(small, 95)
        report.add(
            Row(
                figure=name,
                value=at_95,
                unit="ms",
                spread=quartiles(large),
                baseline=base_95,
                ratio=at_95 / base_95,
                goal=Goal("≤", 150),
            )
        )


def _milliseconds(door: Door, path: str, rounds: int) -> list[float]:
    door.get(path)
    return [_timed(lambda: door.get(path)) * 1e3 for _ in range(rounds)]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _report_page(report: Report, portal: Portal) -> None:
    weight = weigh(f"http://127.0.0.1:{portal.port}/accounts/login/")
    report.section("The sign-in page with all that it fetches, as sent")
    report.add(
        Row(figure="requests", value=weight.requests, unit="", goal=Goal("≤", 6)),
        Row(figure="bytes", value=weight.bytes_sent / 1e3, unit="kB", goal=Goal("≤", 150)),
    )


def _report_tokens(report: Report, portal: Portal, people: People, *, rounds: int) -> None:
    """Compare a call that a token lets in with a page that asks for nothing."""
    door = Door(portal.port)
    door.get("/v1/me", token=people.token)
    bare = [_timed(lambda: door.get("/healthz")) * 1e3 for _ in range(rounds)]
    called = [_timed(lambda: door.get("/v1/me", token=people.token)) * 1e3 for _ in range(rounds)]
    middle, base = percentile(called, 50), percentile(bare, 50)
    report.section("A call to /v1/me with a token, median (baseline: /healthz, which asks for nobody)")
    report.add(
        Row(
            figure="call with a token",
            value=middle,
            unit="ms",
            spread=quartiles(called),
            baseline=base,
            ratio=middle / base,
        ),
        Row(figure="  what the token costs", value=middle - base, unit="ms", goal=Goal("≤", 10)),
    )


if __name__ == "__main__":
    sys.exit(main())
