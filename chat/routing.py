"""Route websockets: origin, session, language, then the consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.urls import path, re_path
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from chat.consumers import ChatConsumer

Application = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]


class SameOrigin:
    """Let sockets in that pages of this portal open, and programs, which send no Origin; refuse other sites' pages.

    A browser always sends the header, and a page cannot forge it.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Handle one connection."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not is_own_origin(origin, host=headers.get(b"host", b"").decode("latin-1")):
            return await WebsocketDenier()(scope, receive, send)
        return await self.inner(scope, receive, send)


class Language:
    """Put the person's language into the scope: the cookie's, the browser's, or the portal's."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Handle one connection."""
        header = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        wanted = [scope.get("cookies", {}).get(settings.LANGUAGE_COOKIE_NAME, "")]
        wanted += [code for code, _quality in parse_accept_lang_header(header[:200])]
        return await self.inner(dict(scope, language=_first_supported(wanted)), receive, send)


def is_own_origin(origin: str, *, host: str) -> bool:
    """Return whether a page of this origin is the portal's: named in the settings, or, where the portal serves one
    machine's or one network's people directly, of the host that was asked.

    In production only what is named counts: a page at http:// of the same name may be anybody's on the way.
    """
    if origin in settings.PORTAL.origins:
        return True
    try:
        netloc = urlsplit(origin).netloc
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return settings.PORTAL.mode != "production" and netloc == host and name in settings.ALLOWED_HOSTS


def _first_supported(wanted: list[str]) -> str:
    for code in wanted:
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)


addresses = URLRouter([path("ws/chat/", ChatConsumer.as_asgi()), re_path("", WebsocketDenier.as_asgi())])
websocket = SameOrigin(AuthMiddlewareStack(Language(addresses)))
