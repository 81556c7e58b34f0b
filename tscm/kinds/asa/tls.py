"""
Which certificate of a firewall is believed, for requests.

In this order: a pinned SHA-256 fingerprint; a CA file; whatever certificate the device shows
(`allow_self_signed`), held to that one for as long as the session lasts; the system's CAs.
"""

import hashlib
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import frozen
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.errors import DeviceFault
from tscm.kinds.faults import IdentityChanged, Unreachable, Untrusted
from tscm.risks import Risk, RiskFound

_X509_MISMATCH = {62, 64}  # host name, address (openssl's x509_vfy.h)
_X509_SELF_SIGNED = {18, 19}
_X509_EXPIRED = 10
_PRINT = "`openssl s_client -connect {where} </dev/null | openssl x509 -noout -fingerprint -sha256`"


@frozen(kw_only=True)
class Trust:
    """
    What makes a device's certificate good enough to send a password over it.
    """

    ca_file: str | None = None
    fingerprint: str | None = None
    allow_self_signed: bool = False
    seen: str | None = None
    """The fingerprint of the last run, where any certificate is taken: a new one must be confirmed."""
    accepted: str | None = None
    """The one that was confirmed."""


def _pools_shown_to(cut: CutOff) -> dict[str, type[HTTPConnectionPool]]:
    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            cut.watch(made)  # before TLS, which may trickle too
            return made

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:  # kept from an exchange before
                cut.watch(self.sock)
            super().putrequest(*args, **kwargs)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return {"http": HTTPConnectionPool, "https": Pool}


class WatchedAdapter(HTTPAdapter):
    """
    Shows each connection to *cut* before it is used.
    """

    def __init__(self, cut: CutOff) -> None:
        self._cut = cut
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        """Pools of such connections."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools_shown_to(self._cut)


class PinnedAdapter(WatchedAdapter):
    """
    Believes one certificate, told by its SHA-256 fingerprint, and no CA.
    """

    def __init__(self, fingerprint: str, cut: CutOff) -> None:
        self._fingerprint = fingerprint
        super().__init__(cut)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        """A pool whose connections must show that certificate."""
        super().init_poolmanager(
            connections,
            maxsize,
            block,
            assert_fingerprint=self._fingerprint,
            ssl_context=unverifying_context(),
            **pool_kwargs,
        )


def unverifying_context() -> ssl.SSLContext:
    """
    A context that takes any certificate: only where its fingerprint is looked at.

    Old releases of the ASA need a handshake without secure renegotiation (RFC 5746), which
    OpenSSL 3 refuses unless asked.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


def prepare(
    session: requests.Session,
    trust: Trust,
    *,
    device: str,
    root: str,
    connect_seconds: float,
    cut: CutOff,
) -> str | None:
    """
    Set the session up for *trust*; gives the fingerprint it is held to, if it is to one.

    Its connections are shown to *cut*.

    With `allow_self_signed` this connects once to see the certificate.  Raises `DeviceFault`.
    """
    fingerprint = trust.fingerprint
    if fingerprint is None and trust.allow_self_signed and trust.ca_file is None:
        fingerprint = shown_fingerprint(device, root, connect_seconds, cut)
        if trust.seen is not None and fingerprint not in {trust.seen, trust.accepted}:
            cause = (
                "its certificate has changed since the last update (SHA-256 is "
                f"{fingerprint}, was {trust.seen}), so no password was sent"
            )
            risk = RiskFound(risk=Risk.CERTIFICATE, sentence=cause, value=fingerprint)
            raise IdentityChanged(
                device,
                cause,
                "a reload or failover of a device without a permanent certificate causes "
                "this: if you know the cause, accept the new certificate with `tsadmin "
                f"update {device} {risk.option}`",
                risk,
            )
    if fingerprint is not None:
        session.mount("https://", PinnedAdapter(fingerprint, cut))
        session.verify = False  # no CA is asked: the pinned adapter decides
        return fingerprint
    if trust.ca_file is not None:
        try:
            trusting(trust.ca_file)
        except OSError as error:  # an SSLError too, where the file holds no certificate
            raise Untrusted(
                device,
                f"cannot use CA file {trust.ca_file}: {error.strerror or error}",
                "copy it there, or set another with --ca_file",
            ) from None
    session.mount("https://", WatchedAdapter(cut))
    session.verify = trust.ca_file or True
    return None


def shown_fingerprint(device: str, root: str, connect_seconds: float, cut: CutOff) -> str:
    """SHA-256 of the certificate that the device shows."""
    parts = urlsplit(root)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            cut.within(2 * connect_seconds),
            socket.create_connection((host, port), connect_seconds) as tcp,
        ):
            cut.watch(tcp)
            with unverifying_context().wrap_socket(tcp, server_hostname=host) as tls:
                certificate = tls.getpeercert(binary_form=True) or b""
    except OSError as error:
        if cut.over:
            raise connection_fault(device, root, TimeoutError()) from None
        raise connection_fault(device, root, error) from None
    return hashlib.sha256(certificate).hexdigest()


def connection_fault(
    device: str, root: str, error: BaseException, shown: str | None = None
) -> DeviceFault:
    """
    Why there is no connection, in words; *shown* is the SHA-256 of the certificate that was not believed.
    """
    where = urlsplit(root).netloc
    if isinstance(error, ssl.SSLError | requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return tls_fault(device, where, error, shown)
    return Unreachable(
        device,
        f"no TCP connection to {where}: {_reason(error)}",
        "check the address, and on the device `http server enable` and the `http` lines "
        "with the permitted clients: other hosts get no response",
    )


def tls_fault(device: str, where: str, error: BaseException, shown: str | None = None) -> Untrusted:
    """Why a certificate is not believed, and what would make it so."""
    change = f"tsadmin configure {device}"
    remedy = (
        f"if it is the device's own, pin it with `{change} --fingerprint {shown}`, or set "
        "the file of its CA with --ca_file"
        if shown
        else f"{_PRINT.format(where=where)} prints its SHA-256 to pin with --fingerprint; or "
        "set the file of its CA with --ca_file"
    )
    told = f" (SHA-256 {shown})" if shown else ""
    verification = _find(error, ssl.SSLCertVerificationError)
    if verification is not None:
        code = getattr(verification, "verify_code", 0)
        cause = getattr(verification, "verify_message", "") or str(verification)
        if code in _X509_SELF_SIGNED:
            cause = "it is self-signed"
        elif code == _X509_EXPIRED:
            cause = "it has expired"
        elif code in _X509_MISMATCH:
            cause = "it was issued for another name or address"
        return Untrusted(
            device, f"the certificate of {where} is not trusted: {cause}{told}", remedy, shown=shown
        )
    text = str(_innermost(error))
    if "ingerprint" in text:
        return IdentityChanged(
            device,
            (
                f"the certificate of {where}{told} does not match the pinned one, so no "
                "password was sent"
            ),
            (f"if it was renewed on purpose, pin the new one with `{change} --fingerprint {shown}`")
            if shown
            else (
                f"{_PRINT.format(where=where)} prints the SHA-256 of the certificate that it "
                "presents, for --fingerprint"
            ),
            shown=shown,
        )
    return Untrusted(
        device,
        f"TLS handshake with {where} failed: {text}",
        ("check that the port is that of the device's `http server`, and check its `ssl` settings"),
    )


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return found


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((one for one in _chain(error) if isinstance(one, kind)), None)


def _innermost(error: BaseException) -> BaseException:
    for kind in (ssl.SSLError, urllib3.exceptions.SSLError):
        if (found := _find(error, kind)) is not None:
            return found
    return error


def _reason(error: BaseException) -> str:
    if _find(error, socket.gaierror) or _find(error, urllib3.exceptions.NameResolutionError):
        return "the name does not resolve"
    if _find(error, ConnectionRefusedError):
        return "connection refused"
    if _find(error, TimeoutError) or _find(error, urllib3.exceptions.ConnectTimeoutError):
        return "no response within the time limit"
    inner = _find(error, OSError)
    return getattr(inner, "strerror", None) or str(error)


def is_distrust(error: BaseException) -> bool:
    """Was it the certificate that ended the handshake?"""
    if _find(error, ssl.SSLCertVerificationError) is not None:
        return True
    found = _find(error, urllib3.exceptions.SSLError)
    return found is not None and "ingerprint" in str(found)


def is_no_connection(error: BaseException) -> bool:
    """
    Did the attempt end before a byte of a request could have left?
    """
    return any(
        isinstance(
            one, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        )
        for one in _chain(error)
    )
