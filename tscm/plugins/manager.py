"""
`twistd tscm`: the manager.
"""

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from tscm.plugins.signals import settle_signals
from tscm.plugins.startup import FrontService, sentence_and_status
from tscm.settings.layout import Layout


class Options(usage.Options):
    """
    What `twistd tscm` can be told; all else stands in the settings.
    """

    optParameters = [  # noqa: RUF012 - Twisted's form
        [
            "root",
            "r",
            None,
            "Root directory of settings, state and logs; default: the system directories. "
            "Same as TSCM_ROOT in the environment.",
        ]
    ]


def freeze_startup_objects() -> None:
    """
    Take what the start has made out of the garbage collector's sight: all of it stays to the end.

    With a thousand devices a full collection that looks through it takes 80 ms, in which no line
    is taken.
    """
    gc.collect()
    gc.freeze()


def heed_hang_up(reactor: Any, look: Callable[[], None]) -> None:
    """
    Let SIGHUP mean what it means to every syslog daemon: *look* at the settings now.

    Unheeded it ends the process at once, and with it every connection: nothing is handed over, and
    an ASA without `permit-hostdown` refuses new traffic.
    """
    signal.signal(signal.SIGHUP, lambda _, __: reactor.callFromThread(look))


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    The manager's services, wired and not yet started.
    """
    import os

    from tscm.base.clock import make_steady
    from tscm.base.log_text import neutralise_log
    from tscm.manager.service import NodeService

    ours = reactor is None
    if ours:
        from twisted.internet import reactor as installed

        from tscm.manager.preparation import prepare

        prepare()

        reactor = installed
        make_steady(reactor)
        neutralise_log()
        reactor.callWhenRunning(freeze_startup_objects)
    root = options["root"] or os.environ.get("TSCM_ROOT")
    layout = Layout(Path(root).absolute()) if root else Layout()
    with sentence_and_status():
        node = NodeService.from_files(layout, reactor)
    if ours:
        heed_hang_up(reactor, node.reload_settings)
        settle_signals(reactor)
    return FrontService(node, goes=ours)
