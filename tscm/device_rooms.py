"""
The readers of one device's log, as its settings want them.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from tscm.forward.service import ForwardService
from tscm.forward.target import READER, Target, targets_of
from tscm.model import Json
from tscm.settings.device import DeviceSettings
from tscm.upload.receivers import receiver_of
from tscm.upload.service import UploadService

if TYPE_CHECKING:
    from tscm.service import NodeService

UPLOAD = "upload"


@define(eq=False)
class DeviceRooms:
    """
    Forwarders and uploader of one device.

    A reader whose service is switched off is dropped with its backlog: what is not sent on is
    not waiting for anybody, and the lines stay in the log.
    """

    _node: "NodeService"
    settings: DeviceSettings
    forward: dict[str, ForwardService] = field(factory=dict, init=False)
    """By the name of the reader that each has."""
    upload: UploadService | None = field(default=None, init=False)
    _ending: list[Deferred[Any]] = field(factory=list, init=False)
    _over: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to read, from where the cursors are."""
        self._start_forward()
        self._start_upload()

    def change(self, settings: DeviceSettings) -> None:
        """Go on with other settings; a reader whose part did not change is left alone."""
        before, self.settings = self.settings, settings
        wanted, stopped = targets_of(settings), []
        for name, target in targets_of(before).items():
            if wanted.get(name) != target and name in self.forward:
                stopped.append(self._stop(self.forward.pop(name)))
        # A reader has one user at a time: what was stopped still confirms what was on its way.
        DeferredList(stopped).addCallback(lambda _: self._forward_again(targets_of(before)))
        bounds = self._node.node.upload
        if receiver_of(before, bounds) != receiver_of(settings, bounds):
            if self.upload is not None:
                self._stop(self.upload)
            self.upload = None
            if not settings.send_logs:
                self._node.spool.drop_reader(settings.name, UPLOAD)
            self._start_upload()

    def stop(self) -> Deferred[Any]:
        """Fires when nothing of the device is under way."""
        self._over = True
        for service in self.forward.values():
            self._stop(service)
        if self.upload is not None:
            self._stop(self.upload)
        self.forward, self.upload = {}, None
        ending, self._ending = self._ending, []
        return DeferredList(ending, consumeErrors=True)

    def figures(self) -> Json:
        """What `tsadmin show` tells of the readers."""
        first = self.forward.get(READER)
        return {
            "forward": None if first is None else first.figures(),
            "forward_also": [one.figures() for name, one in self.forward.items() if name != READER],
            "upload": None if self.upload is None else self.upload.figures(),
        }

    def _stop(self, service: ForwardService | UploadService) -> Deferred[Any]:
        """Stop one; `stop` waits for it, whoever else does."""
        stopped, told = maybeDeferred(service.stopService), Deferred[Any]()
        stopped.addBoth(lambda _: told.callback(None))
        self._ending.append(stopped)
        return told

    def _forward_again(self, before: Iterable[str]) -> None:
        if self._over:
            return
        for name in before:
            if name not in targets_of(self.settings) and name not in self.forward:
                self._node.spool.drop_reader(self.settings.name, name)
        self._start_forward()

    def _start_forward(self) -> None:
        for name, target in targets_of(self.settings).items():
            if name not in self.forward:
                self._start_one(name, target)

    def _start_one(self, name: str, target: Target) -> None:
        node = self._node
        reader = node.spool.reader(self.settings.name, name, at_end=True)
        self.forward[name] = ForwardService(
            node.reactor, node.quick, reader, target, resolver=node.resolver
        )
        self.forward[name].startService()

    def _start_upload(self) -> None:
        node, name = self._node, self.settings.name
        bounds = node.node.upload
        receiver = receiver_of(self.settings, bounds)
        if receiver is None:
            return
        reader = node.spool.reader(name, UPLOAD)
        self.upload = UploadService(
            node.reactor,
            node.slow,
            reader,
            receiver,
            node.layout.device_log(name) / ".spool" / "upload",
            partial(node.spool.seal, name),
            node.upload_slots,
            interval_seconds=bounds.interval_seconds,
            max_batch_kb=bounds.max_batch_kb,
        )
        self.upload.startService()
