"""Listen to a browser: what it complains of, and whom it calls."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, WebError, WebSocket

# The browser notes each page that comes with an error status; such pages are asked for on purpose.
_ERROR_PAGE = "Failed to load resource: the server responded with a status of"


class Watch:
    """Everything that should not have happened in one browser context, as lines to read."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.complaints: list[str] = []
        self._host = urlsplit(url).netloc
        context.on("console", self._heard)
        context.on("weberror", self._thrown)
        context.on("request", lambda request: self._asked(request.url))
        context.on("page", self._opened)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not said.text.startswith(_ERROR_PAGE):
            self.complaints.append(f"{said.page.url if said.page else '?'}: {said.text}")

    def _thrown(self, error: WebError) -> None:
        self.complaints.append(str(error.error))

    def _opened(self, page: Page) -> None:
        page.on("websocket", self._connected)

    def _connected(self, socket: WebSocket) -> None:
        self._asked(socket.url)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != self._host:
            self.complaints.append(f"asked {url}")
