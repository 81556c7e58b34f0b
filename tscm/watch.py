"""
To be watched: `/metrics` for Prometheus and `/healthz`, over plain HTTP on an address of loopback.

Everything is made from the rooms' figures when it is asked for; nothing is counted twice and nothing
costs when nobody asks.  It is made in slices: with hundreds of devices it is work for many
milliseconds, and lines must not wait for it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar

from attrs import define, field
from klein import Klein
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.web.server import Request, Site

from tscm.listening import bind_all, places_of
from tscm.model import Json
from tscm.schedule import in_slices
from tscm.settings.values import HostPort

Look = Callable[[], Awaitable[Json]]
Faults = Callable[[], Awaitable[list[str]]]
LAG_SECONDS = 0.5
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


@define(eq=False)
class LoopLag:
    """
    How late the reactor is: the worst delay of a half-second timer since the last look.
    """

    _clock: Any
    _loop: LoopingCall = field(init=False)
    _due: float = field(default=0.0, init=False)
    _worst: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._tick)
        self._loop.clock = self._clock

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.seconds() + LAG_SECONDS
        self._loop.start(LAG_SECONDS, now=False)

    def stop(self) -> None:
        """End."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        now = self._clock.seconds()
        self._worst = max(self._worst, now - self._due)
        self._due = now + LAG_SECONDS

    def take(self) -> float:
        """The worst delay in seconds since the last call."""
        worst, self._worst = self._worst, 0.0
        return worst


@define(eq=False)
class _OneFamily:
    """What prometheus-client takes for a collector of everything."""

    _family: Metric

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


def families(figures: Json) -> Iterable[Metric]:
    """All families."""
    yield from _intake(figures["intake"])
    yield from _devices(figures["devices"], figures["now"])
    node = figures["node"]
    yield _one("tscm_started_at_seconds", "When the manager started.", node["started_at"])
    if node["database_bytes"] is not None:
        about = "Size of the database, its write-ahead log left out."
        yield _one("tscm_database_bytes", about, node["database_bytes"])
    yield _one("tscm_devices", "Devices in force.", node["devices"])
    yield _one("tscm_settings_faults", "Settings files that are not in force.", len(node["faults"]))
    yield _one(
        "tscm_event_loop_lag_seconds",
        "Worst delay of the event loop since the last look.",
        figures["lag"],
    )
    yield _one("tscm_ledger_balanced", "1 while the ledger balances.", float(figures["balanced"]))


def _one(name: str, about: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, about)
    family.add_metric([], value)
    return family


def _intake(figures: Json) -> Iterable[Metric]:
    received = CounterMetricFamily("tscm_received_lines", "Lines received.", labels=["listener"])
    stored = CounterMetricFamily("tscm_stored_lines", "Lines stored.", labels=["listener"])
    dropped = CounterMetricFamily(
        "tscm_dropped_lines", "Lines dropped.", labels=["listener", "cause"]
    )
    kernel = CounterMetricFamily(
        "tscm_kernel_dropped_datagrams", "Datagrams that the kernel dropped.", labels=["listener"]
    )
    for name, one in figures["listeners"].items():
        received.add_metric([name], one["received"])
        stored.add_metric([name], one["stored"])
        for cause, lines in one["dropped"].items():
            dropped.add_metric([name, cause], lines)
        if one.get("kernel_drops") is not None:
            kernel.add_metric([name], one["kernel_drops"])
    yield from (received, stored, dropped, kernel)
    yield _one(
        "tscm_open_connections", "Open TCP and TLS connections.", figures["connections"]["open"]
    )
    yield _one(
        "tscm_unknown_senders", "Unknown senders seen.", figures["unknown_senders"]["senders"]
    )


_READER = (
    ("sent", "tscm_reader_sent_lines", "Lines that a reader of the log has sent or counted."),
    ("skipped", "tscm_reader_skipped_lines", "Lines that a reader passed as not selected."),
    (
        "expired",
        "tscm_reader_expired_lines",
        "Lines that retention took before a reader was past them.",
    ),
)
_WAITING = (
    ("waiting_lines", "tscm_reader_waiting_lines", "Lines that wait for a reader."),
    ("waiting_bytes", "tscm_reader_waiting_bytes", "Bytes that wait for a reader."),
    ("difference", "tscm_ledger_difference_lines", "Lines by which the ledger is off; 0 is right."),
)


def _devices(devices: Mapping[str, Json], now: float) -> Iterable[Metric]:
    stored = CounterMetricFamily(
        "tscm_device_stored_lines", "Lines on a device's log.", labels=["device"]
    )
    size = CounterMetricFamily(
        "tscm_device_stored_bytes", "Bytes on a device's log.", labels=["device"]
    )
    age = GaugeMetricFamily(
        "tscm_device_silent_seconds", "Seconds since a device's last line.", labels=["device"]
    )
    kept = GaugeMetricFamily(
        "tscm_device_kept_bytes",
        "Bytes of a device's log that retention has left, before compression.",
        labels=["device"],
    )
    segments = GaugeMetricFamily(
        "tscm_device_segments", "Sealed segments of a device's log.", labels=["device"]
    )
    lag = GaugeMetricFamily(
        "tscm_reader_lag_seconds",
        "How long the oldest line has waited for a reader.",
        labels=["device", "reader"],
    )
    for name, one in devices.items():
        log = one["log"]
        stored.add_metric([name], log["stored_lines"])
        size.add_metric([name], log["stored_bytes"])
        kept.add_metric([name], log["stored_bytes"] - log["first_offset"])
        segments.add_metric([name], log["segments"])
        for reader, seconds in one["lag_seconds"].items():
            lag.add_metric([name, reader], seconds)
        if log["last_received_at"]:
            age.add_metric([name], now - log["last_received_at"])
    yield from (stored, size, kept, segments, age, lag)
    for rows, kind in ((_READER, CounterMetricFamily), (_WAITING, GaugeMetricFamily)):
        for key, called, about in rows:  # one at a time: they are the largest
            family = kind(called, about, labels=["device", "reader"])
            for name, one in devices.items():
                for reader, row in one["log"]["readers"].items():
                    family.add_metric([name, reader], row[key])
            yield family
    yield from _targets(devices)
    yield from _policy(devices, now)


def _targets(devices: Mapping[str, Json]) -> Iterable[Metric]:
    lag = GaugeMetricFamily(
        "tscm_forward_lag_seconds", "How far a target is behind.", labels=["device", "target"]
    )
    up = GaugeMetricFamily(
        "tscm_forward_up", "1 while a target is connected.", labels=["device", "target"]
    )
    failing = GaugeMetricFamily(
        "tscm_upload_failures", "Failures of uploads since the last good one.", labels=["device"]
    )
    batches = CounterMetricFamily("tscm_upload_batches", "Batches uploaded.", labels=["device"])
    aside = GaugeMetricFamily(
        "tscm_upload_set_aside_batches",
        "Batches that the log service would not take.",
        labels=["device"],
    )
    for name, one in devices.items():
        for target in (one.get("forward"), *(one.get("forward_also") or ())):
            if target is not None:
                lag.add_metric([name, target["target"]], target["lag_seconds"])
                up.add_metric([name, target["target"]], float(target["state"] == "connected"))
        upload = one.get("upload")
        if upload is not None:
            failing.add_metric([name], upload["failures"])
            batches.add_metric([name], upload["batches"])
            aside.add_metric([name], upload["set_aside"])
    yield from (lag, up, failing, batches, aside)


def _policy(devices: Mapping[str, Json], now: float) -> Iterable[Metric]:
    age = GaugeMetricFamily(
        "tscm_policy_age_seconds", "Seconds since a device's last good update.", labels=["device"]
    )
    good = GaugeMetricFamily(
        "tscm_policy_good", "1 if the last update was good.", labels=["device"]
    )
    entries = GaugeMetricFamily(
        "tscm_policy_entries", "Entries on a device.", labels=["device", "list"]
    )
    result = GaugeMetricFamily(
        "tscm_policy_result", "1 for how the last update ended.", labels=["device", "result"]
    )
    failed = GaugeMetricFamily(
        "tscm_policy_failed_runs", "Updates that failed since a good one.", labels=["device"]
    )
    for name, one in devices.items():
        policy = one["policy"]
        failed.add_metric([name], policy["failed_runs"])
        last, last_good = policy.get("last_update"), policy.get("last_good")
        if last is not None:
            good.add_metric([name], float(bool(last.get("good"))))
            result.add_metric([name, str(last.get("result"))], 1)
        if last_good is not None:
            age.add_metric([name], now - last_good["finished_at"])
            for kind in ("block", "allow"):
                if last_good.get(kind):
                    entries.add_metric([name, kind], last_good[kind]["desired"])
    yield from (age, good, result, failed, entries)


@define(eq=False)
class WatchPages:
    """
    The two pages.
    """

    app: ClassVar[Klein] = Klein()

    _clock: Any
    _look: Look
    _faults: Faults

    @app.route("/metrics", methods=["GET"])
    async def metrics(self, request: Request) -> bytes:
        """All families in Prometheus's text form."""
        figures = await self._look()
        pages = [
            generate_latest(_OneFamily(family))
            async for family in in_slices(self._clock, families(figures))
        ]
        request.setHeader(b"content-type", _TEXT)
        return b"".join(pages)

    @app.route("/healthz", methods=["GET"])
    async def healthz(self, request: Request) -> bytes:
        """200 and `ok`, or 503 and a line for each thing that is wrong."""
        faults = await self._faults()
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        if faults:
            request.setResponseCode(503)
            return "".join(f"{fault}\n" for fault in faults).encode()
        return b"ok\n"


class _QuietSite(Site):
    noisy = False

    def log(self, request: object) -> None:
        """No access log."""


@define(eq=False)
class WatchService(Service):
    """
    Serves the pages on *addresses*.  *look* gives all figures, *faults* what is wrong.
    """

    _reactor: Any
    _addresses: tuple[HostPort, ...]
    _look: Look
    _faults: Faults
    lag: LoopLag = field(init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.lag = LoopLag(self._reactor)

    def addresses(self) -> list[str]:
        """Where it listens, once bound."""
        return places_of(self._ports)

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        pages = WatchPages(self._reactor, self._all_figures, self._faults)
        site = _QuietSite(pages.app.resource(), timeout=60)
        site.displayTracebacks = False
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, site, interface=host),
            self._addresses,
            "metrics",
        )

    async def _all_figures(self) -> Json:
        return {**await self._look(), "lag": self.lag.take()}

    def startService(self) -> None:
        """Begin to measure the loop."""
        super().startService()
        self.lag.start()

    def stopService(self) -> Deferred[Any]:
        """Fires when nothing listens any more."""
        super().stopService()
        self.lag.stop()
        ports, self._ports = self._ports, []

        async def stop() -> None:
            for port in ports:
                await maybeDeferred(port.stopListening)

        return Deferred.fromCoroutine(stop())
