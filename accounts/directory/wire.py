"""Connect to a directory's server, encrypted, and hand libldap an end of the line that never hangs.

Debian's libldap does not keep its time limits while it shakes hands: with a server that accepts a connection and then
says nothing it spins for ever. So the connection, StartTLS and TLS are made here, by Python, within a time; libldap
speaks plain LDAP into one end of a pair of local sockets, and what goes through is carried on, encrypted. When the time
is up the line is cut, and libldap with whoever waits in it comes back.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1_modules import rfc2251

from accounts.directory.settings import DirectorySettings
from accounts.directory.targets import addresses_of

START_TLS_OID = "1.3.6.1.4.1.1466.20037"
MAX_ANSWER_BYTES = 4096
CHUNK = 65_536


class NoLine(Exception):
    """The server cannot be reached: not found, not allowed, refused, or silent."""


class NoTls(Exception):
    """The server can be reached, and refuses encryption or shows a certificate that is not believed."""


class Wire:
    """A line to one server. `fileno` is libldap's end, which libldap closes; `cut` ends everything on it.

    One that is not encrypted although the settings want it carries nothing: it shows that the server is there.
    """

    def __init__(
        self, server: str, settings: DirectorySettings, *, until: float, encrypted: bool = True
    ) -> None:
        self._until = until
        self._remote = _connect(server, settings, until=until)
        self._cut = threading.Event()
        if settings.security == "none" or not encrypted:
            self._remote.settimeout(None)
            self._kept = [self._remote]
            self.fileno = self._remote.dup().detach() if encrypted else -1
        else:
            self._remote = _encrypt(self._remote, server, settings, until=until)
            near, far = socket.socketpair()
            self._kept = [self._remote, near]
            self.fileno = far.detach()
            threading.Thread(target=self._carry, args=(near,), name="directory-tls", daemon=True).start()

    def cut(self) -> None:
        """Cut the line, from whatever thread; a second time does no harm."""
        self._cut.set()
        for each in self._kept:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        """Cut the line and give back what it holds."""
        self.cut()
        if len(self._kept) == 1:
            self._remote.close()

    def _carry(self, near: socket.socket) -> None:
        """Carry bytes both ways until an end closes or the time is up."""
        remote = self._remote
        for each in (remote, near):
            each.settimeout(0.0)
        try:
            while not self._cut.is_set() and time.monotonic() < self._until:
                _wait([remote, near], [], self._until)
                if not (_pass(remote, near, self._until) and _pass(near, remote, self._until)):
                    return
        except OSError:
            return
        finally:
            for each in (near, remote):
                each.close()


def _connect(server: str, settings: DirectorySettings, *, until: float) -> socket.socket:
    """Return a connection. Raises NoLine."""
    parts = urlsplit(server)
    port = parts.port or (636 if parts.scheme == "ldaps" else 389)
    for address in addresses_of(parts.hostname or "", port):
        left = min(float(settings.connect_s), until - time.monotonic())
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError:
            continue
    raise NoLine


def _encrypt(
    plain: socket.socket, server: str, settings: DirectorySettings, *, until: float
) -> ssl.SSLSocket:
    """Return the connection encrypted. Raises NoTls, and closes it then."""
    try:
        context = ssl.create_default_context(cadata=settings.ca_certificates or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        plain.settimeout(max(0.01, min(float(settings.answer_s), until - time.monotonic())))
        if settings.security == "starttls":
            _ask_for_tls(plain)
        return context.wrap_socket(plain, server_hostname=urlsplit(server).hostname)
    except (OSError, PyAsn1Error) as error:
        plain.close()
        raise NoTls from error


def _ask_for_tls(plain: socket.socket) -> None:
    """Ask for TLS (RFC 4511, 4.14). Raises OSError unless the answer is yes and not a byte more."""
    question = rfc2251.LDAPMessage()
    question["messageID"] = 1
    question["protocolOp"]["extendedReq"]["requestName"] = START_TLS_OID
    plain.sendall(encoder.encode(question))
    answer = _read_message(plain)
    message, rest = decoder.decode(answer, asn1Spec=rfc2251.LDAPMessage())
    operation = message["protocolOp"]
    if rest or int(message["messageID"]) != 1 or operation.getName() != "extendedResp":
        raise OSError("no answer to the question")
    if int(operation["extendedResp"]["resultCode"]) != 0:
        raise OSError("the server refuses StartTLS")


def _read_message(plain: socket.socket) -> bytes:
    """Return what the server sends, as soon as it is as long as its own head says. Raises OSError."""
    data = b""
    while len(data) < 2 or len(data) < _length_of(data):
        piece = plain.recv(MAX_ANSWER_BYTES)
        data += piece
        if not piece or len(data) > MAX_ANSWER_BYTES:
            raise OSError("the answer breaks off or is too long")
    return data


def _length_of(data: bytes) -> int:
    """Return how long the message is that begins here, head included, as far as it can be told yet."""
    first = data[1]
    if first < 0x80:
        return 2 + first
    size = first & 0x7F
    return 2 + size + (int.from_bytes(data[2 : 2 + size], "big") if len(data) >= 2 + size else 1)


def _pass(source: socket.socket, target: socket.socket, until: float) -> bool:
    """Carry what is there to be read; return False at the end of it. Raises OSError."""
    while True:
        try:
            data = source.recv(CHUNK)
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        if not data:
            return False
        _send(target, data, until)


def _send(target: socket.socket, data: bytes, until: float) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[target.send(left) :]
        except (ssl.SSLWantWriteError, BlockingIOError):
            _wait([], [target], until)
        except ssl.SSLWantReadError:
            _wait([target], [], until)


def _wait(readers: list[socket.socket], writers: list[socket.socket], until: float) -> None:
    """Wait until one is ready. Raises TimeoutError when the time is up."""
    ready = select.poll()  # select() stops at the thousandth file that a server has open
    for each in readers:
        ready.register(each, select.POLLIN)
    for each in writers:
        ready.register(each, select.POLLOUT)
    if not ready.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError
