"""
`twistd -n tscm-portal`: the embedded services without a manager.
"""

import json
import signal
from pathlib import Path
from typing import Any, ClassVar

from attrs import define
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.python import usage

from tscm.base.clock import make_steady
from tscm.base.host_port import HostPort
from tscm.base.log_text import neutralise_log
from tscm.base.threads import Threads
from tscm.plugins.signals import settle_signals
from tscm.plugins.startup import FrontService, sentence_and_status
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.services.upload_retention import UploadBounds
from tscm.settings.files import read_node, write_private
from tscm.settings.layout import Layout
from tscm.settings.values import listen_address

_THREADS = 4


class Options(usage.Options):
    """
    What `twistd tscm-portal --help` shows.
    """

    synopsis = "[options]"
    optParameters: ClassVar = [
        ["root", "r", "/", "Root directory of all files."],
        ["certificate", None, None, "Certificate and chain of the log service, PEM."],
        ["key", None, None, "Its key, PEM."],
        ["ready", None, None, "Write the bound addresses to this file as JSON when ready."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["dns"], self["logs"], self["name"] = [], [], []

    def opt_dns(self, value: str) -> None:
        """Address of the policy service, HOST:PORT; may be given more than once."""
        self["dns"].append(_address(value))

    def opt_logs(self, value: str) -> None:
        """Address of the log service, HOST:PORT; may be given more than once."""
        self["logs"].append(_address(value))

    def opt_name(self, value: str) -> None:
        """A name or address by which uploaders know this host, for a certificate made here."""
        self["name"].append(value)

    def postOptions(self) -> None:
        """One of the two must be asked for."""
        if not self["dns"] and not self["logs"]:
            raise usage.UsageError("nothing to do; use --dns HOST:PORT, --logs HOST:PORT or both")
        if (self["certificate"] is None) != (self["key"] is None):
            raise usage.UsageError("use --certificate and --key together")


def _address(value: str) -> HostPort:
    try:
        return listen_address(value)
    except ValueError as error:
        raise usage.UsageError(str(error)) from None


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    The embedded services that the options ask for, wired and not yet started.
    """
    ours = reactor is None
    if ours:
        from twisted.internet import reactor as installed

        reactor = installed
        make_steady(reactor)
        neutralise_log()
        settle_signals(reactor, signal.SIGHUP)  # its files are looked at for each question
    layout = Layout(Path(options["root"]).absolute())
    portal = layout.portal
    with sentence_and_status():
        node = read_node(layout)  # for what is kept, and what must stay free for a manager's logs
    threads = Threads(reactor, _THREADS, "tscm-portal")
    policy = logs = None
    if options["dns"]:
        policy = PolicyService(reactor, threads, portal, options["dns"])
    if options["logs"]:
        certificate, key = options["certificate"], options["key"]
        logs = LogService(
            reactor,
            threads,
            portal,
            options["logs"],
            certificate,
            key,
            options["name"],
            bounds=UploadBounds.of(node.portal, node.spool),
        )
    ready = Path(options["ready"]) if options["ready"] else None
    return FrontService(EmbeddedServices(threads, policy, logs, ready), goes=ours)


@define(eq=False)
class EmbeddedServices(Service):
    """
    Both services and the threads that they share, which end last.
    """

    _threads: Threads
    _policy: PolicyService | None
    _logs: LogService | None
    _ready: Path | None

    def _each(self) -> list[PolicyService | LogService]:
        return [one for one in (self._policy, self._logs) if one is not None]

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        for one in self._each():
            one.privilegedStartService()

    def startService(self) -> None:
        """Begin, and tell who waits for it."""
        super().startService()
        self._threads.startService()
        for one in self._each():
            one.startService()
        if self._ready is not None:
            told = {
                "dns": self._policy.addresses() if self._policy else [],
                "logs": self._logs.addresses() if self._logs else [],
                "certificate": str(self._logs.certificate) if self._logs else None,
            }
            write_private(self._ready.absolute(), json.dumps(told).encode() + b"\n")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing of ours is running."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for one in self._each():
            await one.stopService()
        await self._threads.stopService()
