"""Say what the worker's cage held against, layer by layer, from what the worker itself reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext

from inference.cage.names import ATTEMPTS, IN_FORCE, LAYERS, breaches, sum_up
from inference.engine import LayerCheck
from inference.pool import InferencePool


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer: whether it holds, how many attempts on it were refused, and which were not."""

    label: str
    holds: bool
    refused: int
    made: int
    detail: str


@dataclass(frozen=True, slots=True)
class SandboxView:
    """The whole cage. `is_known` is False while no worker has reported."""

    is_known: bool
    is_whole: bool
    refused: int
    made: int
    layers: tuple[LayerRow, ...]


def sandbox_of(pools: Iterable[InferencePool | None]) -> SandboxView:
    """Return how the present workers are caged: where they differ, the one that is caged worst."""
    reports = [pool.report for pool in pools if pool is not None]
    cages = [report.cage for report in reports if report is not None]
    cage = max(cages, key=lambda checks: len(breaches(checks)), default=())
    refused, made = sum_up(cage)
    rows = tuple(_row(layer, cage) for layer in LAYERS) if cage else ()
    return SandboxView(bool(cage), not breaches(cage), refused, made, rows)


def _row(layer: str, cage: tuple[LayerCheck, ...]) -> LayerRow:
    """Return a layer's row; a layer that nothing is said of does not hold."""
    own = tuple(check for check in cage if check.layer == layer)
    refused, made = sum_up(own)
    is_there = any(check.attempt == IN_FORCE and check.holds for check in own)
    return LayerRow(
        label=gettext(LAYERS[layer]),
        holds=is_there and refused == made,
        refused=refused,
        made=made,
        detail=_detail(own),
    )


def _detail(own: tuple[LayerCheck, ...]) -> str:
    """Name the attempts that got through, else what the kernel said of the layer."""
    through = [check for check in own if not check.holds and check.attempt != IN_FORCE]
    if through:
        return ", ".join(gettext(ATTEMPTS.get(check.attempt, check.attempt)) for check in through)
    return next((check.detail for check in own if check.attempt == IN_FORCE), "")
