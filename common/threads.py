"""Call database code from async code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


def in_database_thread(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return an async form of `function` that runs in the database's thread and closes stale connections after.

    The context (tenant scope, language) goes along. This is channels' own adapter, with its types.
    """
    return cast(Callable[P, Coroutine[Any, Any, R]], database_sync_to_async(function))
