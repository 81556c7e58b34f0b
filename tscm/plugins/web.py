"""
`twistd -n tscm-web`: the page, in a process of its own beside the manager.
"""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.python import usage

from tscm.base.host_port import HostPort
from tscm.intake.systemd import environment, inherited
from tscm.plugins.signals import settle_signals
from tscm.plugins.startup import FrontService, sentence_and_status
from tscm.settings.files import read_node, write_private
from tscm.settings.layout import Layout
from tscm.settings.values import listen_address


class Options(usage.Options):
    """
    What `twistd tscm-web --help` shows; all else stands in the settings, under [web].
    """

    synopsis = "[options]"
    optParameters: ClassVar = [
        ["root", "r", None, "Root directory of the manager's files.  Same as TSCM_ROOT."],
        ["ready", None, None, "Write the bound addresses to this file as JSON when ready."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, value: str) -> None:
        """Address of the page, HOST:PORT, in place of [web] listen; may be given more than once."""
        try:
            self["listen"].append(listen_address(value))
        except ValueError as error:
            raise usage.UsageError(str(error)) from None


@define(eq=False)
class _Announced(Service):
    """
    The page, and a file that tells where it is.
    """

    _web: Any
    _ready: Path | None = field(default=None)

    def privilegedStartService(self) -> None:
        """Bind; raises `TscmError`."""
        super().privilegedStartService()
        self._web.privilegedStartService()

    def startService(self) -> None:
        """Begin, and tell who waits for it."""
        super().startService()
        self._web.startService()
        if self._ready is not None:
            told = {"listen": self._web.addresses(), "certificate": self._web.fingerprint()}
            write_private(self._ready, json.dumps(told).encode() + b"\n")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing of ours is running."""
        super().stopService()
        if self._ready is not None:
            self._ready.unlink(missing_ok=True)
        stopped: Deferred[None] = self._web.stopService()
        return stopped


def makeService(options: Options) -> IService:
    """
    The service that twistd runs.
    """
    from twisted.internet import reactor

    from tscm.base.clock import make_steady
    from tscm.base.log_text import neutralise_log

    make_steady(reactor)
    neutralise_log()
    settle_signals(reactor)
    root = options["root"] or os.environ.get("TSCM_ROOT")
    layout = Layout(Path(root).absolute()) if root else Layout()
    listen: list[HostPort] = options["listen"]
    with sentence_and_status():
        from attrs import evolve

        from tscm.faces.web.packages import refuse_without_packages

        refuse_without_packages()
        from tscm.faces.web.service import WebService

        settings = read_node(layout).web
        if listen:
            settings = evolve(settings, listen=tuple(listen))
        given = tuple(one.fd for one in inherited(environment(), os.getpid()))
        web = WebService(reactor, layout, settings, given, reactor.stop if given else None)
    ready = Path(options["ready"]).absolute() if options["ready"] else None
    return FrontService(_Announced(web, ready), goes=True)
