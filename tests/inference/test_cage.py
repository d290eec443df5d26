"""What a worker must not be able to do, it cannot; and the portal notices where a kernel lets it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from inference.cage.attempts import ALL
from inference.cage.names import ATTEMPTS, IN_FORCE, LAYERS, breaches, describe, sum_up
from inference.cage.rights import MAX_THREADS
from inference.engine import LayerCheck
from tests.inference.support import answer, ask, open_pool, scripted, text_of, worker_of
from tests.inference.test_confinement import process_status

ROOT = Path(__file__).resolve().parents[2]


def run(module: str, order: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.inference.{module}", json.dumps(order)],
        cwd=ROOT,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def checks_of(result: dict[str, Any]) -> tuple[LayerCheck, ...]:
    return tuple(LayerCheck(**check) for check in result["cage"])


@dataclass
class Outside:
    """What a way out would lead to: a TCP port, a UDP port, a UNIX socket, a folder with a model in it."""

    tcp: int
    udp: int
    unix: str
    data: str
    model: str


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        model = str(tmp_path / "model.gguf")
        yield Outside(tcp.getsockname()[1], udp.getsockname()[1], str(tmp_path / "s"), str(tmp_path), model)


@pytest.mark.parametrize(
    ("without", "gets_through"),
    [
        ([], set()),
        # The filter alone stands between a process and these. Files, programs, the network and the portal's process
        # have another layer that holds without it.
        (["seccomp"], {"unix", "fork"}),
        (["seccomp", "namespaces"], {"unix", "fork", "udp"}),
        (["seccomp", "landlock"], {"unix", "fork", "dns", "read", "list", "create", "exec", "signal"}),
        (
            ["seccomp", "landlock", "namespaces"],
            {"unix", "fork", "dns", "read", "list", "create", "exec", "signal", "tcp", "udp"},
        ),
        (["landlock", "namespaces", "capabilities"], set()),
    ],
    ids=lambda value: "+".join(sorted(value)) or "none",
)
def test_what_gets_through_depends_on_the_layers(
    outside: Outside, without: list[str], gets_through: set[str]
) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        order = {"without": without, "portal": launcher.pid, **vars(outside)}
        result = run("caged", order)
    finally:
        launcher.communicate(b"\n")
    free = {
        "attach",
        "portal_pipe",
    }  # also forbidden by how the machine is set up: only ever asked to be refused
    assert set(result["through"]) - free == gets_through | {"thread"}
    if not without:
        assert not free & set(result["through"])
        assert result["failed"] == []
    for layer in set(without) & {"seccomp", "landlock"}:
        assert any(failed.startswith(layer) for failed in result["failed"])


@pytest.mark.model
def test_every_layer_holds_around_the_starter_model(starter_model: Path) -> None:
    result = run("lacking", {"sandbox": "strict", "model": str(starter_model)})
    assert "Paris" in result["answer"], result["error"]
    checks = checks_of(result)
    assert breaches(checks) == ()
    assert {check.attempt for check in checks if check.layer == "seccomp"} == {IN_FORCE, *ALL}
    refused, made = sum_up(checks)
    assert refused == made > len(ALL)


@pytest.mark.model
def test_nobody_in_particular_can_run_a_strict_worker(starter_model: Path) -> None:
    result = run("lacking", {"sandbox": "strict", "model": str(starter_model), "as_nobody": True})
    assert result["uid"] != 0
    assert "Paris" in result["answer"], result["error"]
    assert breaches(checks_of(result)) == ()


def test_a_worker_cannot_take_every_thread_of_the_machine() -> None:
    result = run("crowding", {})
    assert result["uid"] != 0
    assert 256 < result["threads"] < MAX_THREADS


@pytest.mark.parametrize("layer", ["user_namespace", "landlock", "seccomp"])
def test_a_kernel_without_a_layer_is_refused_and_named_by_strict(layer: str) -> None:
    result = run("lacking", {"sandbox": "strict", "lack": layer})
    assert result["answer"] == ""
    assert "PORTAL_SANDBOX=strict" in result["error"]
    assert LAYERS[layer] in result["error"]
    assert "\n" not in result["error"]


@pytest.mark.parametrize("layer", ["user_namespace", "landlock", "seccomp"])
def test_a_kernel_without_a_layer_is_good_enough_for_best_effort_which_says_so(layer: str) -> None:
    result = run("lacking", {"sandbox": "best-effort", "lack": layer})
    assert result["answer"].startswith("What is the capital")
    missing = breaches(checks_of(result))
    assert LayerCheck(layer, IN_FORCE, holds=False) in [replace(check, detail="") for check in missing]
    others = set(LAYERS) - {layer, "network_namespace" if layer == "user_namespace" else ""}
    assert not {check.layer for check in missing} & others


async def test_the_kernel_says_the_same_of_a_worker_from_outside() -> None:
    async with open_pool(replace(scripted(), sandbox="strict")) as pool:
        status = process_status(worker_of(pool))
        said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert text_of(await answer(pool, ask("Still here")))
    assert (said["NoNewPrivs"], said["Seccomp"], said["Seccomp_filters"]) == ("1", "2", "2")
    assert {said[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


def test_a_layer_that_nothing_is_said_of_is_missing() -> None:
    assert {check.layer for check in breaches(())} == set(LAYERS)
    assert set(ALL) < set(ATTEMPTS)


def test_what_is_missing_is_named_once_with_the_reason() -> None:
    checks = (
        LayerCheck("landlock", IN_FORCE, holds=False, detail="Function not implemented"),
        LayerCheck("landlock", "file", holds=False, detail="succeeded"),
        LayerCheck("seccomp", "fork", holds=False, detail="succeeded"),
    )
    assert describe(checks) == (
        "Landlock (files) (Function not implemented), seccomp (system calls) (make another process: succeeded)"
    )
