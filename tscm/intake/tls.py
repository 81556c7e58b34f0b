"""
TLS for syslog (RFC 5425): a server context that follows its files, and whom it lets in.
"""

import hashlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast
from weakref import WeakKeyDictionary

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from tscm.base.safe_files import read_regular
from tscm.base.tls_answers import MAX_ANSWERS, BoundedAnswers
from tscm.errors import TscmError
from tscm.intake.figures import TlsFigures
from tscm.settings.node import Listen

HANDSHAKE_SECONDS = 20.0
"""A peer that has not finished its handshake by then is closed."""


ANSWER_SECONDS = 3600.0
"""For so long `MAX_ANSWERS` holds: a connection of syslog lasts for months."""
FLOOD = "closed: it requests TLS responses without end (KeyUpdate or renegotiation)"


class AnsweringFactory(Protocol):
    """What `ListeningTls` needs to know of the factory of the stream above it."""

    clock: IReactorTime

    def handshake_failed(self, sender: str, cause: str) -> None:
        """Count and tell what went wrong in TLS."""


class AnsweredStream(Protocol):
    """The stream above `ListeningTls`."""

    sender: str
    factory: AnsweringFactory


@define(eq=False)
class CertificateUnusable(TscmError):
    """
    The certificate, key or client CA of a TLS listener cannot be used; *settings* name its files.
    """

    exit_status = 4

    path: str
    cause: str
    listener: str = "TLS listener"
    settings: str = "[listen] tls_*"

    def __str__(self) -> str:
        return f"{self.listener}: {self.path}: {self.cause}; see {self.settings} in the settings"


@frozen(kw_only=True)
class TlsFiles:
    """Files of the listener, and which client certificates it takes."""

    certificate: str
    key: str
    client_ca: str | None = None
    client: str = "off"
    client_names: tuple[str, ...] = ()
    client_fingerprints: tuple[str, ...] = ()
    listener: str = "TLS listener"
    settings: str = "[listen] tls_*"
    """How errors call the listener, and where its files are set."""

    def unusable(self, path: str, cause: str) -> CertificateUnusable:
        """The error for one of the files."""
        return CertificateUnusable(path, cause, self.listener, self.settings)

    @classmethod
    def of(cls, listen: Listen) -> "TlsFiles":
        """From the settings; raises `CertificateUnusable` where they cannot be meant."""
        if listen.tls_certificate is None or listen.tls_key is None:
            raise CertificateUnusable("tls_certificate, tls_key", "not set, but tls is")
        trusts = listen.tls_client_ca or listen.tls_client_fingerprints
        if listen.tls_client != "off" and not trusts:
            raise CertificateUnusable(
                "tls_client_ca", f"not set, but tls_client is {listen.tls_client}"
            )
        return cls(
            certificate=listen.tls_certificate,
            key=listen.tls_key,
            client_ca=listen.tls_client_ca,
            client=listen.tls_client,
            client_names=listen.tls_client_names,
            client_fingerprints=listen.tls_client_fingerprints,
        )

    def signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What changes when a file does."""
        found: list[tuple[int, int, int] | None] = []
        for path in (self.certificate, self.key, self.client_ca):
            try:
                seen = Path(path).stat() if path else None
            except OSError:
                seen = None
            found.append(seen and (seen.st_mtime_ns, seen.st_size, seen.st_ino))
        return tuple(found)


def name_matches(pattern: str, name: str) -> bool:
    """
    Whether a certificate's name *pattern* stands for *name* (RFC 6125, 6.4.3).

    A `*` stands for one whole left-most label and for nothing else: neither `f*.example` nor
    `*` alone, and never for a label further right.
    """
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    left, _, right = pattern.partition(".")
    if left != "*":
        return "*" not in pattern and pattern == name
    first, _, rest = name.partition(".")
    return "." in right and "*" not in right and bool(first) and rest == right


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names and addresses that a certificate was issued for; never its common name."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *map(str, addresses))


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate, as the settings write it."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


class Chain(Enum):
    """OpenSSL's verdict on the chain of a client's certificate; the later outweighs the earlier."""

    GOOD = ""
    EARLY = "client certificate, or its CA's, is not valid yet"
    EXPIRED = "client certificate, or its CA's, has expired"
    BROKEN = "client certificate is neither pinned nor issued by the client CA"

    @classmethod
    def of(cls, verdict: int) -> "Chain":
        """What OpenSSL's number for a fault means."""
        return {9: cls.EARLY, 10: cls.EXPIRED}.get(verdict, cls.BROKEN)

    def with_another(self, other: "Chain") -> "Chain":
        """The verdict over two certificates of one chain."""
        order = list(Chain)
        return max(self, other, key=order.index)


def client_fault(
    files: TlsFiles, certificate: x509.Certificate | None, chain: Chain = Chain.GOOD
) -> str:
    """
    Why a client may not send, in words; empty where it may.

    A pinned certificate needs neither chain nor name.
    """
    if files.client == "off":
        return ""
    if certificate is None:
        return "no client certificate" if files.client == "required" else ""
    if fingerprint_of(certificate) in files.client_fingerprints:
        return ""
    if chain is not Chain.GOOD:
        return str(chain.value)
    if not files.client_names:
        return ""
    offered = names_of(certificate)
    if any(name_matches(name, wanted) for wanted in files.client_names for name in offered):
        return ""
    return "client certificate is for other names"


class ListeningTls(BoundedAnswers):
    """
    TLS for a side that never answers.

    In TLS 1.3 the server sends session tickets behind the handshake.  A sender that only writes
    never reads them, and the kernel of a peer that closes with bytes unread says reset, which
    throws away what waits in our socket.  So they are kept back until we say good-bye.

    A connection lasts for months, and what it may make TLS answer holds for *ANSWER_SECONDS* each.
    """

    _leaving = False
    _held = b""
    _answered_since = 0.0

    def take_answer(self, answer: bytes) -> None:
        """Keep it back, until we say good-bye or the peer waits for it (TLS 1.2)."""
        self._held += answer
        if self._leaving:
            self._send_held()
            return
        held_back = self._tlsConnection.get_protocol_version_name() == "TLSv1.3"
        if not held_back or len(self._held) > MAX_ANSWERS:  # the latter over hours: no flood
            self._send_held()

    def may_answer(self, octets: int) -> bool:
        """Within *ANSWER_SECONDS*."""
        stream = cast("AnsweredStream", self.wrappedProtocol)
        now = stream.factory.clock.seconds()
        if now - self._answered_since > ANSWER_SECONDS:
            self._answered, self._answered_since = 0, now
        return super().may_answer(octets)

    def flooded(self) -> None:
        """Told as a fault in TLS; what was kept back goes nowhere."""
        self._held = b""
        stream = cast("AnsweredStream", self.wrappedProtocol)
        stream.factory.handshake_failed(stream.sender, FLOOD)

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held:
            transport: Any = self.transport
            transport.write(held)

    def _shutdownTLS(self) -> None:
        self._leaving = True
        self._send_held()
        super()._shutdownTLS()


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class TlsServer:
    """
    Makes the server side of each connection, with the certificate that is in force.

    `follow` takes up changed files; connections that are open keep what they began with.  A
    file with a fault leaves the old certificate in force and shows the fault.
    """

    _log: ClassVar[Logger] = Logger()

    files: TlsFiles
    _now: Callable[[], float]
    _pins: Callable[[], bool] = bool
    """Whether any device pins a certificate: then clients are asked for theirs."""
    handshake_seconds: float = HANDSHAKE_SECONDS
    loaded_at: float = field(default=0.0, init=False)
    fault: str | None = field(default=None, init=False)
    expires_at: float = field(default=0.0, init=False)
    _chains: "WeakKeyDictionary[Any, Chain]" = field(factory=WeakKeyDictionary, init=False)
    _context: Any = field(default=None, init=False)
    _signature: Any = field(default=None, init=False)

    def load(self) -> None:
        """Read the files; raises `CertificateUnusable` and keeps what was there."""
        self._signature = self.files.signature()
        self._context, self.expires_at = _context_of(self.files, self._note_chain)
        self.loaded_at = self._now()
        self.fault = None

    def take(self, files: TlsFiles) -> None:
        """Go on with other *files*; raises `CertificateUnusable` and keeps what was there."""
        if files == self.files:
            return
        signature = files.signature()
        self._context, self.expires_at = _context_of(files, self._note_chain)
        self.files, self._signature = files, signature
        self.loaded_at, self.fault = self._now(), None

    def follow(self) -> None:
        """Load again where a file has changed."""
        if self.files.signature() == self._signature:
            return
        try:
            self.load()
        except CertificateUnusable as fault:
            self.fault = str(fault)
            self._log.error("{fault}; the old certificate remains in force", fault=self.fault)
        else:
            self._log.info(
                "{listener}: {path} loaded",
                listener=self.files.listener,
                path=self.files.certificate,
            )

    def serverConnectionForTLS(self, protocol: Any) -> Any:  # noqa: ARG002 - Twisted's
        """The connection object that Twisted feeds."""
        connection = SSL.Connection(self._context, None)
        if self.files.client == "off" and self._pins():
            connection.set_verify(SSL.VERIFY_PEER, self._note_chain)
        return connection

    def certificate(self, connection: Any) -> str:
        """
        The fingerprint of what the client behind *connection* showed; empty for nothing readable.
        """
        try:
            presented = connection.get_peer_certificate(as_cryptography=True)
            return "" if presented is None else fingerprint_of(presented)
        except Exception:  # noqa: BLE001 - what a stranger made up raises what it likes
            return ""

    def client_fault(self, connection: Any) -> str:
        """Why the client behind *connection* may not send; empty where it may."""
        chain = self._chains.get(connection, Chain.GOOD)
        try:
            presented = connection.get_peer_certificate(as_cryptography=True)
            return client_fault(self.files, presented, chain)
        except Exception as error:  # noqa: BLE001 - what a stranger made up raises what it likes
            return f"client certificate cannot be read: {type(error).__name__}"

    def _note_chain(self, connection: Any, _: Any, verdict: int, __: int, good: int) -> bool:
        """OpenSSL's verdict on one certificate of the chain; kept until the handshake is over."""
        if not good:
            before = self._chains.get(connection, Chain.GOOD)
            self._chains[connection] = before.with_another(Chain.of(verdict))
        return True

    def figures(self) -> TlsFigures:
        """Which certificate is in force."""
        return TlsFigures(
            certificate=self.files.certificate,
            expires_at=self.expires_at,
            loaded_at=self.loaded_at,
            fault=self.fault,
        )


def _context_of(files: TlsFiles, note_chain: Callable[..., bool]) -> tuple[Any, float]:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Resumption would need a session id context, and senders stay connected anyway.
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    path = files.certificate
    try:
        # OpenSSL opens the files by itself, and would wait in the reactor for the writer of a pipe.
        leaf = x509.load_pem_x509_certificate(read_regular(path))
        context.use_certificate_chain_file(path)
        path = files.key
        read_regular(path)
        context.use_privatekey_file(path)
        context.check_privatekey()
        if files.client_ca is not None:
            path = files.client_ca
            read_regular(path)
            context.load_verify_locations(path)
    except ValueError:
        raise files.unusable(path, "it contains no certificate in PEM that can be read") from None
    except (OSError, SSL.Error) as error:
        raise files.unusable(path, words_of(error)) from None
    if files.client != "off":
        # Judged when the handshake is complete: a pinned certificate needs no chain.
        context.set_verify(SSL.VERIFY_PEER, note_chain)
    return context, leaf.not_valid_after_utc.timestamp()


_NO_TLS = {"wrong version number", "http request", "https proxy request"}
"""What OpenSSL says where the first bytes are no TLS record: it takes them for one of another version."""


def handshake_fault(error: SSL.Error) -> str:
    """Why a handshake failed; a peer that speaks no TLS at all is called that."""
    words = words_of(error)
    if words in _NO_TLS:
        return f"the data is not TLS; the sender is probably set to plain TCP ({words})"
    return f"handshake failed: {words}"


def words_of(error: BaseException) -> str:
    """What OpenSSL or the system says, without the class names."""
    if isinstance(error, SSL.Error):
        reasons = [str(one[-1]) for one in (error.args[0] if error.args else ()) if one]
        return "; ".join(reasons) or "OpenSSL refuses it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__
