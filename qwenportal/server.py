"""Serve the portal with daphne, and stop it in good order."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import daphne.server
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings
from twisted.internet import defer, reactor

from accounts.directory.rechecking import recheck_for_ever
from chat.runtime import runtime
from inference.cage.names import breaches, describe
from inference.engine import LOAD_ERRORS
from inference.errors import EngineUnavailable
from qwenportal.asgi import application
from qwenportal.bodies import BoundedFactory
from qwenportal.sockets import PortalWebSocketFactory
from qwenportal.upkeep import Upkeep
from registry.scanning import Scanner

MAX_MESSAGE_BYTES = 2 << 20
MODEL_TIMEOUT_S = 120


class ServerError(RuntimeError):
    """The server cannot serve; the text says why."""


class PortalServer(Server):  # type: ignore[misc]
    """daphne's server, which says in one line why it cannot serve."""

    failure = ""

    def listen_error(self, failure: Any) -> None:
        """Remember the reason and stop."""
        portal = settings.PORTAL
        self.give_up(f"cannot listen on {portal.host}:{portal.port}: {failure.getErrorMessage()}")

    def give_up(self, reason: str) -> None:
        """Stop, and let whoever started it know why."""
        self.failure = reason
        self.stop()


def serve(*, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; then end the turns, store them and end the worker.

    `say` gets lines for the terminal. Raises ServerError when the address cannot be listened on, when another process
    serves the same data folder, or when PORTAL_SANDBOX=strict cannot be kept.
    """
    portal = settings.PORTAL
    lock = _lock(portal.data_dir / "serve.lock")
    server = PortalServer(
        application,
        endpoints=build_endpoint_description_strings(host=portal.host, port=portal.port),
        server_name="",
        ping_interval=20,
        ping_timeout=30,
        websocket_max_message_size=MAX_MESSAGE_BYTES,
        websocket_max_frame_size=MAX_MESSAGE_BYTES,
        application_close_timeout=5,
        verbosity=1,
    )
    reactor.callWhenRunning(lambda: asyncio.ensure_future(_announce(server, say)))
    reactor.addSystemEventTrigger("before", "shutdown", _close)  # type: ignore[arg-type]
    for helper in (Scanner(), Upkeep()):
        reactor.callWhenRunning(helper.start)
        reactor.addSystemEventTrigger("before", "shutdown", helper.close)  # type: ignore[arg-type]
    reactor.callWhenRunning(lambda: asyncio.ensure_future(recheck_for_ever()))
    daphne.server.WebSocketFactory = PortalWebSocketFactory
    daphne.server.HTTPFactory = BoundedFactory  # the only way in: the server makes its factory itself
    with lock:
        server.run()
    if server.failure:
        raise ServerError(server.failure)
    # Turns, store and worker are closed by now. What is left are sockets whose clients did not answer the close; their
    # suspended coroutines, collected while the interpreter takes itself apart, have crashed it with signal 11.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _lock(path: Path) -> TextIO:
    """Return a file that holds the data folder for this process: at its start it ends the turns of dead ones."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ServerError(f"another process serves {path.parent}") from None
    return file


def _close() -> Any:
    return defer.Deferred.fromFuture(asyncio.ensure_future(runtime().close()))


async def _announce(server: PortalServer, say: Callable[[str], object]) -> None:
    say(f"Serving {settings.PORTAL.origins[0]}  (Ctrl-C stops)")
    process = runtime()
    await process.wait_started()
    reason = process.reason
    if process.pool is not None:
        try:
            await process.pool.wait_ready(MODEL_TIMEOUT_S)
        except EngineUnavailable:
            reason = process.pool.last_error
    if settings.PORTAL.sandbox == "strict" and reason.startswith(LOAD_ERRORS["cage_incomplete"]):
        server.give_up(f"{reason}; see `manage.py doctor`")
    elif reason:
        say(f"The model is not available: {reason}. People can sign in and read; they cannot ask.")
    else:
        say(f"Model ready: {process.model.name} {process.model.parameters}")
    report = process.pool.report if process.pool else None
    if report is not None and (missing := breaches(report.cage)):
        say(f"The sandbox of the engine is not complete: {describe(missing)}. See `manage.py doctor`.")
