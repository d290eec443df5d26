"""Where the sandbox cannot be whole, a portal that must have it whole does not serve, and names the layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.portal import REPOSITORY, PortalProcess

LACKING = """
import os, sys
from tests.inference.lacking import take_away
take_away(sys.argv[1])
os.execv(sys.executable, [sys.executable, "manage.py", "quickstart"])
"""


@pytest.mark.parametrize(
    ("layer", "name"),
    [("landlock", "Landlock"), ("seccomp", "seccomp"), ("user_namespace", "user namespace")],
)
def test_a_portal_that_must_be_caged_does_not_serve_without_a_layer(
    layer: str, name: str, tmp_path: Path
) -> None:
    portal = PortalProcess(tmp_path / "data", PORTAL_ENGINE="scripted", PORTAL_SANDBOX="strict")
    command = [sys.executable, "-c", LACKING, layer]
    ended = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=portal.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert "PORTAL_SANDBOX=strict demands" in last
    assert name in last
    assert "doctor" in last
