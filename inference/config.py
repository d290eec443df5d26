"""Hold what a pool is told when it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from inference.admission import AdmissionLimits
from inference.engine import EngineName, ModelInfo, Sandbox, ThreadTrial, WorkerSpec

Standby = Literal["auto", "on", "off"]

SCRIPTED_MODEL = ModelInfo(name="scripted (no model)", digest="0" * 64, context_tokens=2048)


@dataclass(frozen=True)
class PoolConfig:
    """Say which model a pool runs and within which bounds.

    `model_path` is None for the scripted engine only, whose model must be named as such. `threads` and
    `memory_bytes` (address space of the worker) are chosen by the worker where they are 0. `wall_time_s`
    ends a turn (from Started), `hang_s` without any sign of life too; if none of its turns gives one, the worker.
    `niceness` lets it stand back. `trials` are those by which `threads` were chosen (`inference.tuning`).

    `verify` is awaited before every start of a worker: it returns "" if the model file is what it should be, else a key
    of LOAD_ERRORS, and then no worker starts.

    `standby` keeps a second worker loaded: where memory allows it (auto), always (on), or never (off). The worker is
    recycled at that hour of local time (None: never), after so many turns (0: never), and when it has taken
    `soft_bytes` of memory for itself (0: a share of its hard limit).
    """

    model_path: Path | None
    model: ModelInfo
    engine: EngineName
    slots: int = 4
    threads: int = 0
    trials: tuple[ThreadTrial, ...] = ()
    memory_bytes: int = 0
    max_prompt_tokens: int = 0
    max_new_tokens: int = 512
    wall_time_s: float = 180
    hang_s: float = 30
    scripted_ms: float = 20
    niceness: int = 0
    sandbox: Sandbox = "best-effort"
    prefix_cache_bytes: int = 0
    standby: Standby = "off"
    recycle_hour: int | None = None
    recycle_turns: int = 0
    soft_bytes: int = 0
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    verify: Callable[[], Awaitable[str]] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot run, and an answer without a model that does not say so."""
        if self.engine == "scripted" and "scripted" not in self.model.name:
            raise ValueError("the scripted engine must be named as such in ModelInfo.name")
        if self.engine != "scripted" and self.model_path is None:
            raise ValueError("an engine needs a model file")
        if self.engine == "ctransformers" and self.slots != 1:
            raise ValueError("the ctransformers engine has one slot")
        if self.slots < 1 or self.max_new_tokens < 1 or self.model.context_tokens < 2:
            raise ValueError("slots, max_new_tokens or context_tokens is out of range")
        if self.recycle_hour is not None and not 0 <= self.recycle_hour <= 23:
            raise ValueError("recycle_hour is out of range")

    @property
    def worker_spec(self) -> WorkerSpec:
        """Return the part that the worker needs."""
        return WorkerSpec(
            engine=self.engine,
            model_path=str(self.model_path.resolve()) if self.model_path else "",
            context_tokens=self.model.context_tokens,
            slots=self.slots,
            threads=self.threads,
            memory_bytes=self.memory_bytes,
            scripted_ms=self.scripted_ms,
            niceness=self.niceness,
            sandbox=self.sandbox,
            prefix_cache_bytes=self.prefix_cache_bytes,
            max_prompt_tokens=self.max_prompt_tokens,
            architecture=self.model.architecture,
        )
