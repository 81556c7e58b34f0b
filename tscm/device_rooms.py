"""
The readers of one device's log, as its settings want them.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from tscm.forward.service import ForwardService
from tscm.forward.target import target_of
from tscm.model import Json
from tscm.settings.device import DeviceSettings
from tscm.upload.receivers import receiver_of
from tscm.upload.service import UploadService

if TYPE_CHECKING:
    from tscm.service import NodeService

FORWARD = "forward"
UPLOAD = "upload"


@define(eq=False)
class DeviceRooms:
    """
    Forwarder and uploader of one device.

    A reader whose service is switched off is dropped with its backlog: what is not sent on is
    not waiting for anybody, and the lines stay in the log.
    """

    _node: "NodeService"
    settings: DeviceSettings
    forward: ForwardService | None = field(default=None, init=False)
    upload: UploadService | None = field(default=None, init=False)
    _ending: list[Deferred[Any]] = field(factory=list, init=False)

    def start(self) -> None:
        """Begin to read, from where the cursors are."""
        self._start_forward()
        self._start_upload()

    def change(self, settings: DeviceSettings) -> None:
        """Go on with other settings; a reader whose part did not change is left alone."""
        before, self.settings = self.settings, settings
        if target_of(before) != target_of(settings):
            self._stop(self.forward)
            self.forward = None
            if target_of(settings) is None:
                self._node.spool.drop_reader(settings.name, FORWARD)
            self._start_forward()
        bounds = self._node.node.upload
        if receiver_of(before, bounds) != receiver_of(settings, bounds):
            self._stop(self.upload)
            self.upload = None
            if not settings.send_logs:
                self._node.spool.drop_reader(settings.name, UPLOAD)
            self._start_upload()

    def stop(self) -> Deferred[Any]:
        """Fires when nothing of the device is under way."""
        self._stop(self.forward)
        self._stop(self.upload)
        self.forward = self.upload = None
        ending, self._ending = self._ending, []
        return DeferredList(ending, consumeErrors=True)

    def figures(self) -> Json:
        """What `tsadmin show` tells of the readers."""
        return {
            "forward": None if self.forward is None else self.forward.figures(),
            "upload": None if self.upload is None else self.upload.figures(),
        }

    def _stop(self, service: ForwardService | UploadService | None) -> None:
        if service is not None:
            self._ending.append(maybeDeferred(service.stopService))

    def _start_forward(self) -> None:
        target = target_of(self.settings)
        if target is None:
            return
        node, name = self._node, self.settings.name
        reader = node.spool.reader(name, FORWARD, at_end=True)
        self.forward = ForwardService(node.reactor, node.quick, reader, target)
        self.forward.startService()

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
