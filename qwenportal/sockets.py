"""Close websockets with the codes that the protocol names.

autobahn refuses to send the codes from 1001 to 2999 for an application, though RFC 6455 gives 1011 and 1012 to servers.
"""

from __future__ import annotations

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

SERVER_CODES = frozenset({1011, 1012})


class PortalWebSocket(WebSocketProtocol):  # type: ignore[misc]
    """daphne's websocket, which can also say "internal error" and "restart"."""

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 (daphne's name)
        """Close with a code."""
        if code in SERVER_CODES:
            self.sendCloseFrame(code=code, reasonUtf8=None, isReply=False)
        else:
            super().serverClose(code)


class PortalWebSocketFactory(WebSocketFactory):  # type: ignore[misc]
    """daphne's factory, with these sockets."""

    protocol = PortalWebSocket
