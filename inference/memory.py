"""Read from the kernel how much memory a worker has taken and how much is left, in bytes. None is "not known"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

# Memory of a process that is its own. The model's file is mapped: its pages are shared by all workers, and the kernel
# takes them back when it needs them. What was swapped out is still taken.
_OWN = ("RssAnon", "RssShmem", "VmSwap")


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Hold a process's highest resident memory, the mapped model file included, and address space, in bytes."""

    resident: int
    address_space: int


def peak_memory(pid: int) -> PeakMemory | None:
    """Return what a process has taken at most since it began; None if it is gone."""
    sizes = _sizes(PROC / str(pid) / "status")
    if "VmHWM" not in sizes or "VmPeak" not in sizes:
        return None
    return PeakMemory(resident=sizes["VmHWM"], address_space=sizes["VmPeak"])


def machine_bytes() -> int | None:
    """Return the memory of the machine, or of the control group that we run in where that is less."""
    total = _sizes(PROC / "meminfo").get("MemTotal")
    limits = [int(_read(group / "memory.max")) for group in _bounded_groups()]
    return min([*limits, *([] if total is None else [total])], default=None)


def own_bytes(pid: int) -> int | None:
    """Return the memory that a process has for itself; None if it is gone."""
    sizes = _sizes(PROC / str(pid) / "status")
    if not any(name in sizes for name in _OWN):
        return None
    return sum(sizes.get(name, 0) for name in _OWN)


def address_limit(pid: int) -> int | None:
    """Return the limit on a process's address space, None where it has none."""
    for line in _read(PROC / str(pid) / "limits").splitlines():
        if line.startswith("Max address space"):
            soft = line.split()[3]
            return int(soft) if soft.isdecimal() else None
    return None


def available_bytes() -> int | None:
    """Return what new processes may take before the machine, or the control group that we run in, is full."""
    machine = _sizes(PROC / "meminfo").get("MemAvailable")
    rests = [rest for rest in (machine, _group_rest()) if rest is not None]
    return min(rests, default=None)


def _group_rest() -> int | None:
    """Return the least that our control group (v2) and those above it leave."""
    return min(map(_rest, _bounded_groups()), default=None)


def _bounded_groups() -> list[Path]:
    """Return our control group (v2) and those above it that have a limit."""
    bounded: list[Path] = []
    for line in _read(PROC / "self" / "cgroup").splitlines():
        if line.startswith("0::"):
            group = CGROUPS / line[3:].lstrip("/")
            bounded += [each for each in (group, *group.parents) if _is_bounded(each)]
    return bounded


def _is_bounded(group: Path) -> bool:
    return group.is_relative_to(CGROUPS) and _read(group / "memory.max").strip().isdecimal()


def _rest(group: Path) -> int:
    """Return limit less use. Pages of files that nobody used lately are given back when they are needed."""
    used = int(_read(group / "memory.current").strip() or 0)
    stat = dict(line.split() for line in _read(group / "memory.stat").splitlines())
    return max(0, int(_read(group / "memory.max")) - used + int(stat.get("inactive_file", 0)))


def _sizes(path: Path) -> dict[str, int]:
    """Return the lines `Name: number kB` of a file, in bytes."""
    lines = (line.partition(":") for line in _read(path).splitlines())
    return {name: int(rest.split()[0]) << 10 for name, _, rest in lines if rest.strip().endswith(" kB")}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
