"""Hold the engines behind `inference.engine.Engine`. Only a worker process imports them."""

from __future__ import annotations

from collections.abc import Callable

from inference.engine import Engine, LoadError, WorkerSpec


def find_engine(spec: WorkerSpec) -> Callable[[WorkerSpec], Engine]:
    """Import what the spec names; calling it loads the model. Raise LoadError if there is no such engine.

    The import waits until the choice is made: the scripted engine must run where no engine library is
    installed, and the library reads its environment when it is imported. It comes before the cage: from then on
    no file but the model can be opened, so an engine imports here all that it will ever need.
    """
    if spec.engine == "scripted":
        from inference.engines.scripted import ScriptedEngine  # noqa: PLC0415 - see above

        return ScriptedEngine
    if spec.engine == "ctransformers":
        return _find_ctransformers()
    if spec.engine == "native":
        try:
            from inference.engines.native.engine import NativeEngine  # noqa: PLC0415 - see above
        except ImportError:
            raise LoadError("engine_missing") from None
        return NativeEngine
    try:
        from inference.engines.llamacpp import LlamaCppEngine  # noqa: PLC0415 - see above
    except ImportError:
        raise LoadError("engine_missing") from None
    return LlamaCppEngine


def _find_ctransformers() -> Callable[[WorkerSpec], Engine]:
    try:
        from inference.engines.ctransformers import CtransformersEngine  # noqa: PLC0415 - see above
    except (ImportError, OSError):
        raise LoadError("engine_missing") from None
    return CtransformersEngine
