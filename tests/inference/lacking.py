"""Run a pool where the kernel is less than it could be, or as somebody else, and print what became of it as JSON.

    python -m tests.inference.lacking '{"lack": "landlock", "sandbox": "strict", "model": "", "as_nobody": false}'

What lacks is taken away for real, by the means of container runtimes and administrators: nothing of ours is replaced.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from inference.cage import kernel, rights, seccomp
from inference.engine import ModelInfo, Sampling
from inference.errors import EngineUnavailable
from inference.pool import InferencePool, PoolConfig
from tests.inference.support import GENEROUS, answer, ask, scripted, text_of

NOBODY = 65534
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def take_away(layer: str) -> None:
    """Take the kernel's means for a layer from this process and its children."""
    if layer == "user_namespace":
        user = os.geteuid()
        kernel.call("unshare", CLONE_NEWUSER)
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        Path("/proc/sys/user/max_net_namespaces").write_text("0")
    elif layer:
        name, error = {
            "landlock": ("landlock_create_ruleset", errno.ENOSYS),
            "seccomp": ("seccomp", errno.EINVAL),
        }[layer]
        rights.forbid_new_privileges()
        seccomp.install(seccomp.deny(name, error, machine=kernel.machine()))


def become_nobody() -> None:
    """Give up root, if this is root, after a look-alike of the interpreter's folder is where nobody may enter it."""
    if os.geteuid():
        return
    prefix = Path(sys.base_prefix)
    closed = [folder for folder in reversed(prefix.parents) if not folder.stat().st_mode & 0o001]
    if closed:
        kernel.call("unshare", CLONE_NEWNS)
        aside = tempfile.mkdtemp()
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount(str(prefix), aside, "", MS_BIND | MS_REC)
        mount("tmpfs", str(closed[0]), "tmpfs", 0)
        closed[0].chmod(0o755)
        prefix.mkdir(parents=True)
        mount(aside, str(prefix), "", MS_BIND | MS_REC)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def mount(source: str, target: str, kind: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), f"mount {source} {target}")


def config_of(order: dict[str, Any]) -> PoolConfig:
    if not order["model"]:
        return replace(scripted(), sandbox=order["sandbox"])
    info = ModelInfo(name="starter", digest="", context_tokens=512)
    path = Path(order["model"])
    return PoolConfig(path, info, order["engine"], slots=2, limits=GENEROUS, sandbox=order["sandbox"])


async def run(order: dict[str, Any]) -> dict[str, Any]:
    pool = InferencePool(config_of(order))
    await pool.start()
    said = ""
    try:
        await pool.wait_ready(60)
        prompt = ask("What is the capital of France?", Sampling(temperature=0, max_new_tokens=24))
        said = text_of(await answer(pool, prompt))
    except EngineUnavailable:
        pass
    cage = [asdict(check) for check in pool.report.cage] if pool.report else []
    result = {"error": pool.last_error, "answer": said, "cage": cage, "uid": os.getuid()}
    await pool.close()
    return result


def main() -> None:
    order = {"lack": "", "as_nobody": False, "model": "", "engine": "llamacpp"} | json.loads(sys.argv[1])
    if order["as_nobody"]:
        become_nobody()
    take_away(order["lack"])
    sys.stdout.write(json.dumps(asyncio.run(run(order))))


if __name__ == "__main__":
    main()
