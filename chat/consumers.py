"""Speak the websocket protocol at `/ws/chat/`: parse, check, hand over, send."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.db import DatabaseError

from accounts.errors import SessionEnded
from accounts.live import account_group, session_group, tenant_group
from accounts.session_store import SessionStore
from chat.budgets import FrameBudget
from chat.following import WINDOW, Follower, StalledClient, refusal_fields
from chat.frames import Ack, Ask, BadFrame, Frame, FrameTooLarge, Ping, Resume, Stop, parse_frame
from chat.limits import alimits_shown
from chat.requests import Person
from chat.runtime import runtime
from chat.sockets import (
    USE_NOTED_EVERY_S,
    Cleared,
    SocketSession,
    aclear_session,
    anote_session_use,
    aread_member,
)
from chat.turns import LiveTurn
from common.client import client_ip
from common.errors import ConsentRequired, NotFound, PortalError
from common.tracebacks import where

logger = logging.getLogger("portal.sockets")

NOT_SIGNED_IN, NOT_ALLOWED, BAD_FRAMES, STALLED, FLOOD, INTERNAL = 4401, 4403, 4400, 4408, 4429, 1011
BAD_FRAMES_ALLOWED = 10
SOCKETS_PER_PERSON = 16


class UnknownTurn(PortalError):
    """The turn is over for too long, unknown, or somebody else's."""

    code = "unknown_turn"
    http_status = 404
    message = NotFound.message


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket of one person. Turns outlive it; it only starts, follows and stops them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._followers: dict[UUID, tuple[Follower, asyncio.Task[None]]] = {}
        self._budget, self._bad_frames = FrameBudget(), 0
        self._language = settings.LANGUAGE_CODE
        self._session: SocketSession | None = None
        self._cleared: Cleared | None = None
        self._use_noted = 0.0

    async def connect(self) -> None:
        """Accept and greet, or accept and close with the reason: a refused handshake would tell a browser nothing."""
        self._language = self.scope.get("language", settings.LANGUAGE_CODE)
        await self.accept()
        self._session = self._read_session()
        if self._session is None:
            await self.close(NOT_SIGNED_IN)
            return
        # First in the groups, then the check: a sign-out in between is heard, not missed.
        if runtime().sockets_of(self._session.account_id) >= SOCKETS_PER_PERSON:
            await self.close(FLOOD)
            return
        runtime().sockets[self] = self._session.account_id
        for group in self._groups():
            await self.channel_layer.group_add(group, self.channel_name)
        try:
            self._cleared = await aclear_session(self._session)
        except PortalError as error:
            await self._shut_out(error, frame_id=None)
            return
        await self._greet(self._cleared)

    def _read_session(self) -> SocketSession | None:
        user, session = self.scope.get("user"), self.scope.get("session")
        # In a scope the session is behind a lazy object, so it is asked what class it says it is.
        if user is None or not user.is_authenticated or not isinstance(session, SessionStore):
            return None
        # Operators have no tenant and no chat; they fail the role check with a tenant that owns nothing.
        tenant_id = user.tenant_id or UUID(int=0)
        return SocketSession(user.id, tenant_id, session.digest, session.get(HASH_SESSION_KEY, ""))

    def _groups(self) -> list[str]:
        session = self._session
        if session is None:
            return []
        return [
            session_group(session.session_digest),
            account_group(session.account_id),
            tenant_group(session.tenant_id),
        ]

    async def _greet(self, cleared: Cleared) -> None:
        model = runtime().serving.model_of(cleared.account.tenant_id)
        limits = await alimits_shown(cleared.consented.tenant_id)
        await self._say(
            {
                "type": "ready",
                "user": {"display_name": cleared.account.display_name},
                "limits": {
                    **limits,
                    "context_tokens": model.context_tokens,
                    "window": WINDOW,
                },
                "model": {"name": model.name, "digest": model.digest, "is_starter": model.is_starter},
                "notice_version": cleared.consented.notice_version,
            }
        )

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message to its method.

        channels first visits the database's thread, for each frame, to close stale connections; what here uses the
        database does that by itself, and most frames do not.
        """
        try:
            await getattr(self, get_handler_name(message))(message)
        except DatabaseError as error:
            logger.error("the store failed under a socket: %s", where(error))
            await self.close(INTERNAL)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket to its end; however it ends, nothing of it is left behind."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Leave the turns to whoever comes back for them."""
        for follower, task in list(self._followers.values()):
            task.cancel()
            runtime().turns.leave(follower.turn)
        self._followers.clear()
        if runtime().sockets.pop(self, None) is not None:
            for group in self._groups():
                await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame. Whatever it holds, the answer is a frame or a close, never a traceback."""
        if self._session is None or self._cleared is None:
            return
        if not self._budget.take():
            await self.close(FLOOD)
            return
        try:
            frame = parse_frame(text_data)
        except BadFrame as error:
            await self._complain(error)
            return
        if isinstance(frame, Ask | Resume) and not runtime().may_ask(self._session.account_id):
            await self.close(FLOOD)
            return
        try:
            await self._handle(frame, self._session)
        except (SessionEnded, ConsentRequired) as error:
            await self._shut_out(error, frame_id=frame.id)
        except PortalError as error:
            await self._say(
                {"type": "error", "id": frame.id, **refusal_fields(error, language=self._language)}
            )

    async def _check(self, frame: Frame, session: SocketSession) -> None:
        """Check session, role and consent anew; for frames that change nothing a moment-old check will do."""
        if isinstance(frame, Ack | Ping) and self._cleared is not None and self._cleared.is_fresh:
            return
        try:
            self._cleared = await aclear_session(session)
        except NotFound:
            raise SessionEnded from None

    async def _handle(self, frame: Frame, session: SocketSession) -> None:
        if isinstance(frame, Ask):
            await self._ask(frame, session)
            return
        await self._check(frame, session)
        match frame:
            case Stop():
                self._find(frame.turn).stop()
            case Resume():
                self._follow(self._find(frame.turn), frame.id, after=frame.after)
            case Ack():
                if frame.turn in self._followers:
                    self._followers[frame.turn][0].acknowledge(frame.seq)
            case Ping():
                await self._say({"type": "pong", "id": frame.id})

    async def _ask(self, frame: Ask, session: SocketSession) -> None:
        """Start a turn and follow it. Session and role are checked here, consent by the pipeline."""
        try:
            account = await aread_member(session)
        except NotFound:
            raise SessionEnded from None
        if time.monotonic() - self._use_noted > USE_NOTED_EVERY_S:
            self._use_noted = time.monotonic()
            await anote_session_use(session.session_digest, account)
        turn = runtime().ask(frame.request, account=account, person=self._person(session))
        self._follow(turn, frame.id, after=0)

    def _person(self, session: SocketSession) -> Person:
        headers = dict(self.scope.get("headers", []))
        address = client_ip(
            remote=(self.scope.get("client") or ("", 0))[0] or "",
            forwarded_for=headers.get(b"x-forwarded-for", b"").decode("latin-1"),
            trusted_proxies=settings.PORTAL.trusted_proxies,
        )
        return Person(
            account_id=session.account_id,
            tenant_id=session.tenant_id,
            ip=address,
            language=self._language,
            session=session.session_digest,
        )

    def _find(self, turn_id: UUID) -> LiveTurn:
        if self._session is None:
            raise UnknownTurn
        try:
            return runtime().turns.find(turn_id, account_id=self._session.account_id)
        except NotFound:
            raise UnknownTurn from None

    def _follow(self, turn: LiveTurn, frame_id: str, *, after: int) -> None:
        """Follow a turn from a point; a second follower on the same socket takes the first one's place."""
        self._unfollow(turn)
        follower = Follower(turn, frame_id=frame_id, after=after, send=self._say)
        task = asyncio.get_running_loop().create_task(follower.run())
        self._followers[turn.id] = (follower, task)
        runtime().turns.follow(turn)
        task.add_done_callback(lambda done: self._followed(done, follower))

    def _unfollow(self, turn: LiveTurn) -> None:
        followed = self._followers.pop(turn.id, None)
        if followed is not None:
            followed[1].cancel()
            runtime().turns.leave(turn)

    def _followed(self, task: asyncio.Task[None], follower: Follower) -> None:
        current = self._followers.get(follower.turn.id)
        if current is not None and current[0] is follower:
            self._unfollow(follower.turn)
        if isinstance(follower.turn.refusal, ConsentRequired):
            self._close_soon(NOT_ALLOWED)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StalledClient):
            self._close_soon(STALLED)
        elif error is not None:
            logger.warning("a socket broke while it was sent to: %s", where(error))

    def _close_soon(self, code: int) -> None:
        closing = asyncio.get_running_loop().create_task(self.close(code))
        closing.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _complain(self, error: BadFrame) -> None:
        self._bad_frames += 1
        await self._say(
            {"type": "error", "id": error.frame_id, **refusal_fields(error, language=self._language)}
        )
        if self._bad_frames >= BAD_FRAMES_ALLOWED or isinstance(error, FrameTooLarge):
            await self.close(BAD_FRAMES)

    async def _shut_out(self, error: PortalError, *, frame_id: str | None) -> None:
        """Close with the code that says what is missing."""
        self._cleared = None
        if self._session is not None and isinstance(error, SessionEnded):
            runtime().forget_session(self._session.session_digest)
        elif self._session is not None:
            runtime().forget_person(self._session.account_id)
        if isinstance(error, ConsentRequired) and frame_id is not None:
            fields = refusal_fields(error, language=self._language)
            await self._say({"type": "turn.refused", "id": frame_id, "turn": None, **fields})
        await self.close(NOT_SIGNED_IN if isinstance(error, SessionEnded) else NOT_ALLOWED)

    async def session_ended(self, event: dict[str, Any]) -> None:
        """Close at once: this session was signed out, or the person was disabled or has another role.

        A turn that this socket began while the news was on its way is one that the runtime did not see yet.
        """
        if self._session is not None and "session" in event:
            runtime().forget_session(self._session.session_digest)
        elif self._session is not None:
            runtime().forget_person(self._session.account_id)
        await self.close(NOT_SIGNED_IN)

    async def consent_changed(self, _event: dict[str, Any]) -> None:
        """Close at once unless the person's consent still stands."""
        if self._session is None or self._cleared is None:
            return
        try:
            self._cleared = await aclear_session(self._session)
        except PortalError as error:
            await self._shut_out(error, frame_id=None)

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
