"""A person at a browser: what they type, press and see."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.portal import PASSWORD


class Person:
    """One tab of one person's browser, at one portal."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    # ── doors

    def go(self, path: str = "/") -> Person:
        self.page.goto(self.url + path)
        return self

    def sign_in(self, login: str, *, organisation: str = "demo", password: str = PASSWORD) -> Person:
        """Fill in the sign-in page and send it."""
        self.go("/accounts/login/")
        self.page.get_by_label("Organisation").fill(organisation)
        self.page.get_by_label("User name").fill(login)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        return self

    def agree(self) -> Person:
        """Agree to the notice, if it is asked."""
        self.go("/")
        if self.page.url.endswith("/consent/"):
            self.page.get_by_role("button", name="Agree and continue").click()
        expect(self.field).to_be_visible()
        return self

    # ── the chat

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("textbox", name="Ask anything…")

    @property
    def send(self) -> Locator:
        return self.page.get_by_role("button", name="Send", exact=True)

    @property
    def halt(self) -> Locator:
        return self.page.get_by_role("button", name="Stop (Esc)")

    @property
    def messages(self) -> Locator:
        return self.page.locator(".thread .msg")

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.page.locator('.msg[data-from="ai"]').last

    @property
    def note(self) -> Locator:
        """The notes above the field."""
        return self.page.locator("#slot .note")

    @property
    def conversations(self) -> Locator:
        """The titles in the side bar."""
        return self.page.locator(".conv a")

    def say(self, text: str) -> Person:
        """Type a message and press Enter."""
        self.field.fill(text)
        expect(self.send).to_be_enabled()
        self.field.press("Enter")
        return self

    def ask(self, text: str) -> Person:
        """Send a message and wait until its answer is complete."""
        count = self.messages.count()
        self.say(text)
        expect(self.messages).to_have_count(count + 2)
        return self.wait_for_answer()

    def wait_for_answer(self, status: str = "complete") -> Person:
        expect(self.answer).to_have_attribute("data-status", status, timeout=30_000)
        expect(self.halt).to_be_hidden()
        return self

    def wait_for_word(self, word: str) -> Person:
        """Return when the answer that is being written has come to this word."""
        expect(self.answer.locator(".prose")).to_contain_text(word)
        return self


class Line:
    """The wire between one page and the portal, which can be cut and mended."""

    def __init__(self, page: Page) -> None:
        self.resumed = 0
        self._is_cut = False
        self._sockets: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/chat/", self._open)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._is_cut = True
        for socket in self._sockets:
            socket.close(code=1001)
        self._sockets.clear()

    def mend(self) -> None:
        self._is_cut = False

    def _open(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close(code=1001)
            return
        server = socket.connect_to_server()
        self._sockets.append(socket)

        def pass_on(text: str | bytes) -> None:
            self.resumed += "chat.resume" in str(text)
            server.send(text)

        socket.on_message(pass_on)
        server.on_message(socket.send)
