"""Hold the engines behind `inference.engine.Engine`. Only a worker process imports them."""

from __future__ import annotations

from inference.engine import Engine, LoadError, WorkerSpec


def load_engine(spec: WorkerSpec) -> Engine:
    """Load what the spec names. Raise LoadError if that cannot be done.

    The import waits until the choice is made: the scripted engine must run where no engine library is
    installed, and the library reads its environment when it is imported.
    """
    if spec.engine == "scripted":
        from inference.engines.scripted import ScriptedEngine  # noqa: PLC0415 - see above

        return ScriptedEngine(spec)
    if spec.engine == "ctransformers":
        return _load_ctransformers(spec)
    if spec.engine == "native":
        try:
            from inference.engines.native.engine import NativeEngine  # noqa: PLC0415 - see above
        except ImportError:
            raise LoadError("engine_missing") from None
        return NativeEngine(spec)
    try:
        from inference.engines.llamacpp import LlamaCppEngine  # noqa: PLC0415 - see above
    except ImportError:
        raise LoadError("engine_missing") from None
    return LlamaCppEngine(spec)


def _load_ctransformers(spec: WorkerSpec) -> Engine:
    try:
        from inference.engines.ctransformers import CtransformersEngine  # noqa: PLC0415 - see above
    except ImportError:
        raise LoadError("engine_missing") from None
    return CtransformersEngine(spec)
