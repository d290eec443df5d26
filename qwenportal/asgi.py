"""The portal as an ASGI application."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qwenportal.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from chat.routing import websocket  # noqa: E402 (needs the apps)
from chat.runtime import runtime  # noqa: E402


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve a request or a socket; the engine starts with the first, or with the server's own start."""
    if scope["type"] == "lifespan":
        await _serve_lifespan(receive, send)
        return
    runtime().ensure_started()
    await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)


async def _serve_lifespan(receive: Any, send: Any) -> None:
    """Start and stop the engine with the server, where the server speaks the lifespan protocol."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        runtime().ensure_started()
        await send({"type": f"{message['type']}.complete"})
    await runtime().close()
    await send({"type": "lifespan.shutdown.complete"})
