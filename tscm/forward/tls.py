"""
TLS to a receiver (RFC 5425), over the same kind of connection.

The records are made in memory and handed to the kernel by `StreamLink`, so that its send queue
still tells what has left: each chunk of lines is remembered with the place in the stream of
records where its last byte stands.
"""

import contextlib
import os
import ssl
from collections import deque

from attrs import define, field

from tscm.base.safe_files import open_regular, trusting
from tscm.forward.link import Disconnected
from tscm.forward.stream import StreamLink
from tscm.forward.target import Target

_READ_BYTES = 64 << 10


class TlsUnusable(OSError):
    """
    The files for TLS that a target names cannot be used.
    """


def tls_context(target: Target) -> ssl.SSLContext:
    """
    Blocking: the context of *target*: its certificate is always checked.  Raises `TlsUnusable`.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if target.ca_file is not None:
            context = trusting(target.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(0, f"cannot use CA file {target.ca_file}: {error}") from None
    try:
        if target.certificate is not None:
            for path in filter(None, (target.certificate, target.key)):
                os.close(open_regular(path))  # OpenSSL would wait for the writer of a pipe
            context.load_cert_chain(target.certificate, target.key)
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(
            0, f"cannot use certificate {target.certificate} and key {target.key}: {error}"
        ) from None
    return context


@define(eq=False)
class TlsLink(StreamLink):
    """
    A TCP connection whose bytes are TLS records.
    """

    _context: ssl.SSLContext = field(kw_only=True)
    _server_name: str = field(kw_only=True)
    _in: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _out: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = field(init=False)
    _handshaking: bool = field(default=True, init=False)
    _given: int = field(default=0, init=False)  # position of the source
    _ends: deque[tuple[int, int]] = field(factory=deque, init=False)
    _left: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = self._context.wrap_bio(self._in, self._out, server_hostname=self._server_name)

    def _established(self) -> None:
        self._shake()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            self._send_rest()
            self._end(
                Disconnected(
                    "presented an untrusted certificate: "
                    f"{error.verify_message.rstrip('.')}; check its name and the CA file "
                    "of the target"
                )
            )
            return
        except ssl.SSLError as error:
            self._send_rest()
            self._end(Disconnected(f"failed TLS negotiation: {error.reason or error}"))
            return
        else:
            self._handshaking = False
            self._ready()
        if not self._ended:
            self._reactor.addWriter(self)

    def _heard(self, data: bytes) -> None:
        """Records of the peer: the handshake's, later tickets, key updates and the end."""
        self._in.write(data)
        if self._handshaking:
            self._shake()
            return
        try:
            while self._tls.read(_READ_BYTES):
                pass
        except ssl.SSLWantReadError:
            if self._out.pending and not self._ended:
                self._reactor.addWriter(self)
            return
        except ssl.SSLError as error:
            self._end(
                Disconnected(f"aborted the TLS connection: {error.reason or error}", reset=True)
            )
            return
        self._peer_ended()

    def _pull(self) -> bool:
        if not (self._handshaking or self._finishing or self._ended):
            chunk = self._source.more(self._given)
            if self._ended:
                return False
            if chunk is not None:
                self._given += chunk.size
                rest = memoryview(chunk.data)
                while rest:
                    rest = rest[self._tls.write(rest) :]
                self._ends.append((self._taken + self._out.pending, self._given))
        if not self._out.pending:
            return False
        records = self._out.read()
        self._taken += len(records)
        self._rest = memoryview(records)
        return True

    def wake(self) -> None:
        """Write as soon as the socket takes it."""
        if not self._handshaking:
            super().wake()

    def acknowledged_position(self) -> int:
        """Bytes of lines whose records the peer's kernel has acknowledged."""
        records = super().acknowledged_position()
        while self._ends and self._ends[0][0] <= records:
            self._left = self._ends.popleft()[1]
        return self._left

    @property
    def finished(self) -> bool:
        """Whether the kernel has all records."""
        return super().finished and not self._out.pending

    def close(self, sentence: str = "") -> None:
        """End with a closing alert, if the socket takes it."""
        if not self._ended and not self._connecting and not self._handshaking:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._send_rest()
        super().close(sentence)

    def _send_rest(self) -> None:
        """What lies in memory, as far as it goes at once."""
        if self._rest:
            return
        with contextlib.suppress(OSError):
            self._socket.send(self._out.read())
