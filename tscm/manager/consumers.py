"""
The readers of one device's log, as its settings want them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from tscm.cluster.service import ClusterService
from tscm.consumers.consumer import Consumer, ReaderService, Wanted
from tscm.forward.figures import ForwardFigures
from tscm.forward.service import ForwardService
from tscm.manager.log_consumers import (
    CONSUMERS,
    DROP,
    FORWARD,
    PUBLISHERS,
    SINKS,
    UPLOAD,
    Means,
    users_of,
)
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import READER
from tscm.sinks.service import SinkService
from tscm.upload.figures import UploadFigures
from tscm.upload.service import UploadService

RETRY_SECONDS = 30.0


@define(eq=False)
class DeviceConsumers:
    """
    The services that read one device's log: its forwarders and its uploader.

    What becomes of a reader whose target or service is taken away is the device's setting
    `backlog`: kept, it waits where it stands, as an orphan, for its target to come back or for
    an operator to drop it; dropped, what waited for it is passed.  The lines stay in the log.
    """

    _log: ClassVar[Logger] = Logger()

    _means: Means
    settings: DeviceSettings
    _running: dict[str, ReaderService] = field(factory=dict, init=False)
    """By the name of the reader that each has."""
    _ending: set[Deferred[Any]] = field(factory=set, init=False)
    """What was stopped and still confirms what was on its way."""
    _left: set[str] = field(factory=set, init=False)
    """Readers that were stopped: to be dropped, or kept, where they are not wanted any more."""
    _moved: set[str] = field(factory=set, init=False)
    """Readers whose target is at another place now."""
    _again: IDelayedCall | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)

    @property
    def forward(self) -> dict[str, ForwardService]:
        """The forwarders, by the name of the reader that each has."""
        return {
            name: cast(ForwardService, one)
            for name, one in self._running.items()
            if FORWARD.owns(name)
        }

    @property
    def onward(self) -> dict[str, SinkService | ClusterService]:
        """What sends to sinks and to the cluster, by the name of the reader that each has."""
        return {
            name: cast(SinkService | ClusterService, one)
            for name, one in self._running.items()
            if SINKS.owns(name) or PUBLISHERS.owns(name)
        }

    @property
    def upload(self) -> UploadService | None:
        """The uploader; None where nothing is uploaded."""
        return cast(UploadService | None, self._running.get(UPLOAD))

    def start(self) -> None:
        """Begin to read, from where the cursors are."""
        if self.settings.backlog == DROP:
            self._left.update(
                name
                for name in self._means.spool.readers(self.settings.name)
                if any(one.owns(name) for one in _OWN)
            )
        self._go_on()

    def _wanted(self, settings: DeviceSettings) -> Mapping[str, Wanted]:
        node = self._means.node
        return {
            name: one for consumer in _OWN for name, one in consumer.wants(settings, node).items()
        }

    def change(self, settings: DeviceSettings) -> None:
        """
        Go on with other settings; a reader whose part did not change is left alone.

        A reader has one user at a time: the new one begins when all that was stopped has ended.
        """
        before, wanted = self._wanted(self.settings), self._wanted(settings)
        self.settings = settings
        for name, one in before.items():
            new = wanted.get(name)
            if new is not None and new.setup == one.setup:
                continue
            self._left.add(name)
            if new is not None and new.place != one.place:
                self._moved.add(name)
            if name in self._running:
                self._stop(self._running.pop(name))
        DeferredList(list(self._ending)).addCallback(lambda _: self._go_on())

    def stop(self) -> Deferred[Any]:
        """Fires when nothing of the device is in progress."""
        self._over = True
        self._stop_trying()
        running, self._running = self._running, {}
        for service in running.values():
            self._stop(service)
        return DeferredList(list(self._ending))

    def forward_figures(self) -> ForwardFigures | None:
        """How the forwarding to the first target stands; None where there is none."""
        first = self.forward.get(READER)
        return None if first is None else self._dressed(first)

    def forward_also_figures(self) -> tuple[ForwardFigures, ...]:
        """How the forwarding to each further target stands, and to each sink and the cluster."""
        further = tuple(self._dressed(one) for name, one in self.forward.items() if name != READER)
        return further + tuple(self._dressed(one) for one in self.onward.values())

    def _dressed(self, forward: ForwardService | SinkService | ClusterService) -> ForwardFigures:
        """With its lag, which is measured for all readers in one place."""
        figures, lags = forward.figures(), self._means.lags.of(self.settings.name)
        return evolve(figures, lag_seconds=lags.get(figures.reader, 0.0))

    def upload_figures(self) -> UploadFigures | None:
        """How the uploads stand; None where there are none."""
        return None if self.upload is None else self.upload.figures()

    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as no reader's trouble has changed."""
        return tuple([one.stamp for one in self._running.values()])

    @property
    def users(self) -> dict[str, str]:
        """Who uses each reader of the log, by the reader's name."""
        return users_of(self.settings, self._means.node)

    @property
    def rejected_counts(self) -> dict[str, int]:
        """Batches that were rejected, by the name of the reader that they came from."""
        kept = 0 if self.upload is None else self.upload.rejected_count
        return {UPLOAD: kept} if kept else {}

    def look_at_listeners(self) -> None:
        """The manager listens elsewhere too: a target that is itself now is left."""
        for one in self.forward.values():
            one.look_at_listeners()

    def _stop(self, service: ReaderService) -> None:
        ended: Deferred[Any] = Deferred()
        self._ending.add(ended)

        def over(_: object) -> None:
            self._ending.discard(ended)
            ended.callback(None)

        maybeDeferred(service.stopService).addBoth(over)

    def _go_on(self) -> None:
        """
        Drop what is not wanted, begin what is wanted; again in a while where the disk refuses.
        """
        if self._over or self._ending:  # a later change waits for what it stopped itself
            return
        self._stop_trying()
        wanted = self._wanted(self.settings)
        try:
            if self.settings.backlog == DROP:
                for name in (self._left - wanted.keys()) | self._moved:
                    self._means.spool.drop_reader(self.settings.name, name)
            self._left.clear()
            self._moved.clear()
            for consumer in _OWN:
                self._start_all(consumer)
        except OSError as error:
            self._log.error(
                ("cannot start the readers of {device}: {error}; retrying in {seconds:.0f} s"),
                device=self.settings.name,
                error=error,
                seconds=RETRY_SECONDS,
            )
            self._again = self._means.reactor.callLater(RETRY_SECONDS, self._go_on)

    def _start_all(self, consumer: Consumer[Means]) -> None:
        """Begin what one consumer wants and what does not run yet.  Raises `OSError`."""
        assert consumer.make is not None
        wanted = consumer.wants(self.settings, self._means.node)
        for name, one in wanted.items():
            if name not in self._running and one.setup is not None:
                made = consumer.make(self._means, self.settings, name)
                self._running[name] = made
                made.startService()

    def _stop_trying(self) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        self._again = None


_OWN = tuple(one for one in CONSUMERS if one.make is not None)
"""Consumers whose services are of one device each."""
