"""Refuse large request bodies while they arrive.

daphne takes a body whole, onto the disk if it is large, before Django can say that it is too large; so the limit has
to stand here. No form of the portal comes near it.
"""

from __future__ import annotations

from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

MAX_BODY_BYTES = 2 << 20
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request that ends its connection when its body is announced, or grows, beyond the limit."""

    _refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (twisted's name)
        """Look at the announced length."""
        super().gotLength(length)
        if length is not None and length > MAX_BODY_BYTES:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (twisted's name)
        """Take a part of the body, unless there is too much of it."""
        if self._refused:
            return
        if self.content.tell() + len(data) > MAX_BODY_BYTES:
            self._refuse()
            return
        super().handleContentChunk(data)

    def process(self) -> Any:
        """Hand the request to the application, unless it was refused."""
        return None if self._refused else super().process()

    def _refuse(self) -> None:
        self._refused = True
        self.channel.transport.write(REFUSAL)
        self.channel.transport.loseConnection()


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    """daphne's factory, with bounded requests."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 (twisted's name)
        """Return a protocol that makes bounded requests."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
