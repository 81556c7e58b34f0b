"""
What can be seen of lists, proxy, log service and SIEM from here.  Blocking; nothing is stored anywhere.
"""

import base64
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import define, field

from tscm.base.deadline import CutOff
from tscm.base.host_port import HostPort
from tscm.doctor.judge_onward import ProxyAnswer
from tscm.errors import ListUnavailable
from tscm.forward.own import Listeners, listeners_of, loop_of
from tscm.forward.target import Target, targets_of
from tscm.forward.tls import TlsUnusable, tls_context
from tscm.model import Progress, Report
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource, list_source
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import published
from tscm.settings.node import NodeSettings
from tscm.settings.own_service import OwnService
from tscm.upload.probe import ServiceAnswer, ask_service
from tscm.upload.receivers import receiver_of

_CONNECT_SECONDS = 10.0
_WHOLE_SECONDS = 2 * _CONNECT_SECONDS
"""For a connection and what it is asked, whatever trickles in."""
_MOST_ANSWER = 4096

Fetch = Callable[[ListSource, PolicyList | None, float], PolicyList | None]


@define
class ListLook:
    """A list: how many entries, or why not."""

    name: str
    entries: int | None = None
    fault: str | None = None
    remedy: str = ""


@define
class OnwardLook:
    """
    What was seen of everything that is neither this host nor the firewall.
    """

    servers: dict[str, str | None] = field(factory=dict)
    feeds_only: bool = False
    lists: dict[str, ListLook] = field(factory=dict)
    proxy: ProxyAnswer | None = None
    service: ServiceAnswer | None = None
    targets: dict[str, tuple[Target, str | None]] = field(factory=dict)
    """By the name of the reader: the target, and why it cannot be reached."""
    loops: dict[str, str] = field(factory=dict)
    """By the name of the reader: the manager's own listener that its target is."""


def look_onward(
    settings: DeviceSettings,
    node: NodeSettings,
    fetch: Fetch,
    now: float,
    report: Report,
    *,
    listeners: Listeners | None = None,
    own: OwnService | None = None,
) -> OnwardLook:
    """
    Lists, log service and SIEM of one device.  *settings* with its secrets opened; *listeners* are
    where the manager listens, where one runs; *own* is the log service in its own process.
    """
    look = OnwardLook()
    _look_at_lists(look, settings, node, fetch=fetch, now=now, report=report)
    receiver = receiver_of(settings, node.upload, own)
    if receiver is not None:
        report(Progress(phase="check", text=f"{receiver.way.name} at {receiver.way.host}"))
        if settings.log_proxy is not None:
            look.proxy = ask_proxy(settings, receiver.way.url)
        look.service = ask_service(receiver)
    for name, target in targets_of(settings).items():
        report(Progress(phase="check", text=f"SIEM {target}"))
        loop = loop_of(target, listeners_of(node.listen) if listeners is None else listeners)
        if loop is not None:  # not asked: it would answer
            look.loops[name] = loop
        look.targets[name] = (target, None if loop else why_not(target))
    return look


def _look_at_lists(
    look: OnwardLook,
    settings: DeviceSettings,
    node: NodeSettings,
    *,
    fetch: Fetch,
    now: float,
    report: Report,
) -> None:
    sources = [
        (kind, list_source(settings, node, name))
        for kind, names in (("block", settings.block_list), ("allow", settings.allow_list))
        for name in published(node.policy.feeds, names)
    ]
    look.feeds_only = all(source.feed is not None for _, source in sources)
    if not look.feeds_only:
        for server in node.policy.servers:
            place = HostPort(server.host, server.port or settings.dns_port)
            look.servers[str(place)] = _no_connection(place.host, place.port or 0)
    for kind, source in sources:
        report(Progress(phase="fetch", text=f"{kind} list {source.name}"))
        found = look.lists.setdefault(kind, ListLook(getattr(settings, f"{kind}_list")))
        try:
            answer = fetch(source, None, now)
        except ListUnavailable as error:
            named = source.name == found.name
            cause = error.cause if named else f"{source.name}: {error.cause}"
            if found.fault is None:
                found.fault, found.remedy = cause, error.remedy
        else:
            found.entries = (found.entries or 0) + (0 if answer is None else len(answer.entries))


def _no_connection(host: str, port: int) -> str | None:
    """Why no TCP connection can be made; None where it can."""
    cut = CutOff()
    try:
        with cut.within(_WHOLE_SECONDS):
            cut.connect(host, port, _CONNECT_SECONDS).close()
    except OSError as error:
        return _cause(error, cut)
    return None


def _cause(error: OSError, cut: CutOff, whole_seconds: float = _WHOLE_SECONDS) -> str:
    if cut.stopped:
        return "the check was interrupted because the manager is stopping"
    if cut.over:
        return f"no complete answer within {whole_seconds:.0f} s"
    if isinstance(error, TimeoutError):
        return f"no response within {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return error.strerror or str(error)


def why_not(target: Target, whole_seconds: float = _WHOLE_SECONDS) -> str | None:
    """Why a target of forwarding cannot be reached; None where it can, or where that is unknown."""
    cut = CutOff()
    try:
        if target.protocol == "UDP":
            socket.getaddrinfo(target.address, target.port, type=socket.SOCK_DGRAM)
            return None
        with (
            cut.within(whole_seconds),
            cut.connect(target.address, target.port, _CONNECT_SECONDS) as tcp,
        ):
            if target.protocol == "TLS":
                name = target.server_name or target.address
                tls_context(target).wrap_socket(tcp, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    except ssl.SSLError as error:
        if cut.over:
            return _cause(error, cut, whole_seconds)
        return f"TLS negotiation failed: {error.reason or error}"
    except TlsUnusable as error:
        return error.strerror or str(error)
    except OSError as error:
        return _cause(error, cut, whole_seconds)
    return None


def ask_proxy(
    settings: DeviceSettings, url: str, whole_seconds: float = _WHOLE_SECONDS
) -> ProxyAnswer:
    """What the device's proxy answers to CONNECT for the log service."""
    proxy, service = urlsplit(settings.log_proxy or ""), urlsplit(url)
    host = f"[{service.hostname}]" if ":" in (service.hostname or "") else service.hostname
    goal = f"{host}:{service.port or 443}"
    lines = [f"CONNECT {goal} HTTP/1.1", f"Host: {goal}"]
    if settings.log_proxy_user is not None:
        password = settings.log_proxy_password.reveal() if settings.log_proxy_password else ""
        account = base64.b64encode(f"{settings.log_proxy_user}:{password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {account}")
    request = "\r\n".join([*lines, "", ""]).encode()
    cut = CutOff()
    try:
        with (
            cut.within(whole_seconds),
            cut.connect(proxy.hostname or "", proxy.port or 0, _CONNECT_SECONDS) as tcp,
        ):
            tcp.sendall(request)
            said = b""
            while b"\n" not in said and len(said) < _MOST_ANSWER:
                more = tcp.recv(_MOST_ANSWER)
                if not more:
                    break
                said += more
    except OSError as error:
        return ProxyAnswer(fault=_cause(error, cut, whole_seconds))
    if cut.over:  # this side closed the connection, which looks like the end of its answer
        return ProxyAnswer(fault=_cause(TimeoutError(), cut, whole_seconds))
    status = said.partition(b"\n")[0].decode("latin-1").strip()
    return ProxyAnswer(answer=status.partition(" ")[2])
