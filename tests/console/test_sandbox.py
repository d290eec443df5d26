"""What operators and administrators are shown of the worker's cage."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from django.template.loader import render_to_string
from django.utils.translation import override

from console.sandbox import SandboxView, sandbox_of
from inference.cage.names import IN_FORCE, LAYERS
from inference.engine import LayerCheck, WorkerReport
from inference.pool import InferencePool

WHOLE = (
    *(LayerCheck(layer, IN_FORCE, holds=True, detail="") for layer in LAYERS),
    LayerCheck("landlock", "file", holds=True, detail="EACCES"),
    LayerCheck("seccomp", "fork", holds=True, detail="EPERM"),
)


def view(cage: tuple[LayerCheck, ...] | None) -> SandboxView:
    report = None if cage is None else WorkerReport("scripted", cage=cage)
    return sandbox_of([pool(report)])


def pool(report: WorkerReport | None) -> InferencePool:
    return cast(InferencePool, SimpleNamespace(report=report))


def badge(cage: tuple[LayerCheck, ...] | None) -> str:
    return render_to_string("console/sandbox_badge.html", {"sandbox": view(cage)})


def test_a_whole_cage_is_one_line_of_attempts() -> None:
    shown = view(WHOLE)
    assert (shown.is_whole, shown.refused, shown.made) == (True, 2, 2)
    assert all(row.holds for row in shown.layers)
    assert len(shown.layers) == len(LAYERS)
    with override("en"):
        assert "Engine sandbox: 2 of 2 attempts refused" in badge(WHOLE)
    with override("zh-hans"):
        assert "引擎沙箱：2 次尝试中 2 次被拒绝" in badge(WHOLE)


def test_an_attempt_that_got_through_is_named_with_its_layer() -> None:
    cage = (*WHOLE[:-1], replace(WHOLE[-1], holds=False, detail="succeeded"))
    with override("en"):
        (row,) = [row for row in view(cage).layers if not row.holds]
        assert (row.refused, row.made, row.detail) == (0, 1, "make another process")
        assert 'data-tone="danger"' in badge(cage)
        assert "a layer is missing" in badge(cage)


def test_of_several_workers_the_one_that_is_caged_worst_is_shown() -> None:
    good, bad = (pool(WorkerReport("scripted", cage=cage)) for cage in (WHOLE, WHOLE[1:]))
    for pools in ((good, bad), (bad, good), (None, bad, pool(None))):
        assert not sandbox_of(pools).is_whole
    assert sandbox_of([good, None, good]).is_whole


def test_a_layer_that_nothing_is_said_of_does_not_hold() -> None:
    shown = view(WHOLE[1:])
    assert not shown.is_whole
    assert [row.holds for row in shown.layers].count(False) == 1


def test_without_a_report_nothing_is_claimed() -> None:
    assert view(None) == SandboxView(False, False, 0, 0, ())
    with override("en"):
        assert "no worker has reported" in badge(None)
