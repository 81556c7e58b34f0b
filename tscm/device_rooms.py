"""
The readers of one device's log, as its settings want them.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from tscm.events.selection import ListedLines
from tscm.forward.figures import ForwardFigures
from tscm.forward.own import own_listener
from tscm.forward.service import ForwardService
from tscm.forward.target import READER, Target, targets_of
from tscm.settings.device import DeviceSettings
from tscm.settings.node import UploadSettings
from tscm.settings.own_service import own_service
from tscm.upload.figures import UploadFigures
from tscm.upload.receivers import receiver_of
from tscm.upload.service import UploadService

if TYPE_CHECKING:
    from tscm.service import NodeService

UPLOAD = "upload"
EVENTS = "events"
"""The event reader's name in every log."""
DROP = "drop"
RETRY_SECONDS = 30.0


def users_of(settings: DeviceSettings, upload: UploadSettings) -> dict[str, str]:
    """Who uses each reader of a device's log, by the reader's name; what is not there is an orphan."""
    found = {name: str(target) for name, target in targets_of(settings).items()}
    if receiver_of(settings, upload) is not None:
        found[UPLOAD] = "S3 store" if upload.kind == "s3" else "log service"
    return {**found, EVENTS: "roll-ups"}


@define(eq=False)
class DeviceRooms:
    """
    Forwarders and uploader of one device.

    What becomes of a reader whose target or service is taken away is the device's setting
    `backlog`: kept, it waits where it stands, as an orphan, for its target to come back or for
    somebody to drop it; dropped, what waited for it is passed.  The lines stay in the log.
    """

    _log: ClassVar[Logger] = Logger()

    _node: "NodeService"
    settings: DeviceSettings
    forward: dict[str, ForwardService] = field(factory=dict, init=False)
    """By the name of the reader that each has."""
    upload: UploadService | None = field(default=None, init=False)
    _ending: set[Deferred[Any]] = field(factory=set, init=False)
    """What was stopped and still confirms what was on its way."""
    _left: set[str] = field(factory=set, init=False)
    """Readers that were stopped: to be dropped, or kept, where nobody wants them any more."""
    _moved: set[str] = field(factory=set, init=False)
    """Readers whose target is at another place now."""
    _again: IDelayedCall | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to read, from where the cursors are."""
        if self.settings.backlog == DROP:
            self._left.update(
                name
                for name in self._node.spool.readers(self.settings.name)
                if name in {UPLOAD, READER} or name.startswith(f"{READER}-")
            )
        self._go_on()

    def change(self, settings: DeviceSettings) -> None:
        """
        Go on with other settings; a reader whose part did not change is left alone.

        A reader has one user at a time: the new one begins when all that was stopped has ended.
        """
        before, self.settings = self.settings, settings
        wanted, bounds = targets_of(settings), self._node.node.upload
        for name, target in targets_of(before).items():
            new = wanted.get(name)
            if new != target:
                self._left.add(name)
                if new is not None and new.place != target.place:
                    self._moved.add(name)
                if name in self.forward:
                    self._stop(self.forward.pop(name))
        if receiver_of(before, bounds) != receiver_of(settings, bounds):
            self._left.add(UPLOAD)
            if self.upload is not None:
                self._stop(self.upload)
            self.upload = None
        DeferredList(list(self._ending)).addCallback(lambda _: self._go_on())

    def stop(self) -> Deferred[Any]:
        """Fires when nothing of the device is under way."""
        self._over = True
        self._stop_trying()
        for service in self.forward.values():
            self._stop(service)
        if self.upload is not None:
            self._stop(self.upload)
        self.forward, self.upload = {}, None
        return DeferredList(list(self._ending))

    def forward_figures(self) -> ForwardFigures | None:
        """How the forwarding to the first target stands; None where there is none."""
        first = self.forward.get(READER)
        return None if first is None else first.figures()

    def forward_also_figures(self) -> tuple[ForwardFigures, ...]:
        """How the forwarding to each further target stands."""
        return tuple(one.figures() for name, one in self.forward.items() if name != READER)

    def upload_figures(self) -> UploadFigures | None:
        """How the uploads stand; None where there are none."""
        return None if self.upload is None else self.upload.figures()

    @property
    def users(self) -> dict[str, str]:
        """Who uses each reader of the log, by the reader's name."""
        return users_of(self.settings, self._node.node.upload)

    @property
    def set_aside(self) -> dict[str, int]:
        """Batches that were refused for good, by the name of the reader that they came from."""
        kept = 0 if self.upload is None else self.upload.kept_aside
        return {UPLOAD: kept} if kept else {}

    def _stop(self, service: ForwardService | UploadService) -> None:
        ended: Deferred[Any] = Deferred()
        self._ending.add(ended)

        def over(_: object) -> None:
            self._ending.discard(ended)
            ended.callback(None)

        maybeDeferred(service.stopService).addBoth(over)

    def _go_on(self) -> None:
        """
        Drop what nobody wants, begin what is wanted; again in a while where the disk refuses.
        """
        if self._over or self._ending:  # a later change waits for what it stopped itself
            return
        self._stop_trying()
        wanted = set(targets_of(self.settings)) | ({UPLOAD} if self.settings.send_logs else set())
        try:
            if self.settings.backlog == DROP:
                for name in (self._left - wanted) | self._moved:
                    self._node.spool.drop_reader(self.settings.name, name)
            self._left.clear()
            self._moved.clear()
            self._start_forward()
            if self.upload is None:
                self._start_upload()
        except OSError as error:
            self._log.error(
                "readers of {device} cannot begin: {error}; tried again in {seconds:.0f} s",
                device=self.settings.name,
                error=error,
                seconds=RETRY_SECONDS,
            )
            self._again = self._node.reactor.callLater(RETRY_SECONDS, self._go_on)

    def _stop_trying(self) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        self._again = None

    def _start_forward(self) -> None:
        for name, target in targets_of(self.settings).items():
            if name not in self.forward:
                self._start_one(name, target)

    def _start_one(self, name: str, target: Target) -> None:
        node = self._node
        reader = node.spool.reader(self.settings.name, name, at_end=True)
        self.forward[name] = ForwardService(
            node.reactor,
            node.quick,
            reader,
            target,
            resolver=node.resolver,
            resolve_seconds=node.node.intake.resolve_seconds,
            own=self._own_listener,
        )
        self.forward[name].startService()

    def _own_listener(self, address: str, port: int, protocol: str) -> str | None:
        return own_listener(address, port, protocol, self._node.intake.addresses())

    def look_at_listeners(self) -> None:
        """The manager listens elsewhere too: a target that is itself now is left."""
        for one in self.forward.values():
            one.look_at_listeners()

    def _start_upload(self) -> None:
        node, name = self._node, self.settings.name
        bounds = node.node.upload
        receiver = receiver_of(self.settings, bounds, own_service(node.layout, node.node))
        if receiver is None:
            return
        # Whoever drops backlogs does not want the log from its beginning either.
        reader = node.spool.reader(name, UPLOAD, at_end=self.settings.backlog == DROP)
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
            select=ListedLines(node.layout.database, name),
        )
        self.upload.startService()
