"""
Settings to service tree: the only place where the rooms meet.

What brings lines in binds first, and is the last to start reading and the last to stop but for what
keeps lines: a firewall, a SIEM or a log service that lets a stop wait costs no line.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Self

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredSemaphore,
)
from twisted.logger import Logger

from tscm.alarms.service import AlarmService
from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.cluster.service import Site
from tscm.cluster.site import site_of
from tscm.devices.claims import claimed_by_another
from tscm.errors import PoliciesHeld
from tscm.events.process import WorkerProcess
from tscm.events.recent import recent_hits
from tscm.events.service import EventService
from tscm.faces.control import ControlService
from tscm.forward.resolve import Resolver
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.systemd import Activation, SystemdService, environment
from tscm.ledger.keeper import LedgerKeeper
from tscm.manager import health
from tscm.manager.alarm_channels import notifying
from tscm.manager.audit_forward import AuditForward
from tscm.manager.audit_trail import EXPIRY_SECONDS, AuditTrail
from tscm.manager.backups import BackupService
from tscm.manager.balances import balanced
from tscm.manager.devices_in_force import DevicesInForce
from tscm.manager.embedded import Embedded, delegates_of, embedded_services
from tscm.manager.endings import Endings
from tscm.manager.lag import LOOK_SECONDS, ReaderLags
from tscm.manager.node import Manager, Node
from tscm.manager.portal_following import follower_of
from tscm.manager.renaming import complete_renaming
from tscm.manager.settings_watch import WATCH_SECONDS, SettingsWatch
from tscm.manager.store_opening import REOPEN_SECONDS, StoreOpening
from tscm.metrics.pages import WatchService
from tscm.operations.calls import Calls
from tscm.operations.jobs import Jobs
from tscm.pairing.follower import Follower
from tscm.pairing.service import PairingService
from tscm.plural import many
from tscm.policy.rank import Hits
from tscm.portal.service import PolicyPublisher
from tscm.reports.service import ReportService
from tscm.services.list_service import ListService
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.services.portal_lists import PortalLists
from tscm.services.pulls import PullBook
from tscm.settings.files import device_names, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.settings.node import NodeSettings
from tscm.settings.owner import become_owner, chown_to_owner
from tscm.sinks.outlets import outlets_of
from tscm.sinks.service import Outlet
from tscm.spool.open_files import allowed_files
from tscm.spool.service import SpoolService
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.store.pulls import StoredPulls
from tscm.update.notified import NotifyListener
from tscm.update.service import UpdateService
from tscm.update.turns import MAX_LENT, QUICK_PLACES
from tscm.update.ways import default_gateways, resolve

_QUICK_THREADS = 6


@define(eq=False)
class NodeService(Service):
    """
    The manager: all rooms of one root, in one process.

    `quick` threads are for what ends by itself soon (fsync, names, compressing), `slow` ones for
    lists, firewalls and uploads, which may take minutes; the two never wait for each other.
    """

    _log: ClassVar[Logger] = Logger()

    layout: Layout
    reactor: Any
    node: NodeSettings
    lock: RootLock = field(init=False)
    quick: Threads = field(init=False)
    slow: Threads = field(init=False)
    store: Store = field(init=False)
    opening: StoreOpening = field(init=False)
    spool: SpoolService = field(init=False)
    senders: SenderTable = field(init=False)
    intake: IntakeService = field(init=False)
    systemd: SystemdService = field(init=False)
    updates: UpdateService = field(init=False)
    events: EventService = field(init=False)
    upload_slots: DeferredSemaphore = field(init=False)
    outlets: Mapping[str, Outlet] = field(init=False)
    site: Site | None = field(init=False)
    """The cluster; None where the manager is by itself."""
    resolver: Resolver = field(init=False)
    """Looks up the names of forwarding targets: shared, so that no dead one holds all threads."""
    parts: Node = field(init=False)
    """What operations act on."""
    calls: Calls = field(init=False)
    audit: AuditTrail = field(init=False)
    audit_forward: AuditForward = field(init=False)
    backups: BackupService = field(init=False)
    alarms: AlarmService = field(init=False)
    reports: ReportService = field(init=False)
    bookkeeper: LedgerKeeper = field(init=False)
    control: ControlService = field(init=False)
    watch: WatchService = field(init=False)
    lists: ListService = field(init=False)
    """Serves what is published for firewalls that pull."""
    publisher: PolicyPublisher = field(init=False)
    """Publishes the policies that the embedded policy service serves."""
    notified: NotifyListener = field(init=False)
    """Hears from policy servers elsewhere that a list has changed."""
    portal: list[Embedded] = field(factory=list, init=False)
    follower: Follower = field(init=False)
    """Follows the portals of devices that are paired."""
    in_force: DevicesInForce = field(init=False)
    started_at: float = field(default=0.0, init=False)
    files: SettingsWatch = field(init=False)
    _watch: PeriodicService = field(init=False)
    lags: ReaderLags = field(init=False)
    _lag_looks: PeriodicService = field(init=False)
    _audit_expiry: PeriodicService = field(init=False)
    _endings: Endings = field(init=False)

    def __attrs_post_init__(self) -> None:
        node, reactor = self.node, self.reactor
        self._endings = Endings(reactor)
        self.in_force = DevicesInForce(self, lambda: self.files, self._endings)
        self.lock = RootLock(self.layout.lock, "the manager")
        self.quick = Threads(reactor, _QUICK_THREADS, "tscm-quick")
        parallel = node.policy.parallel_updates + node.upload.parallel
        parallel += sum(one.parallel for one in node.sink)
        self.slow = Threads(reactor, parallel + MAX_LENT + QUICK_PLACES, "tscm-slow")
        self.store = Store(self.layout.database)
        self.opening = StoreOpening(reactor, self.layout, self.store, self._begin_with_store)
        self.spool = SpoolService(self.layout.logs, node.spool, reactor, self.quick)
        self.spool.on_opened = self._log_opened
        self.senders = SenderTable()
        activation = Activation.of(environment(), os.getpid())
        self.systemd = SystemdService(reactor, activation)
        self.intake = IntakeService(
            reactor,
            node.listen,
            node.intake,
            self.spool,
            self.senders,
            self._resolve,
            quarantine_file=self.layout.quarantine,
            activation=activation,
        )
        self.resolver = Resolver(reactor, self.quick)
        self.audit_forward = AuditForward(
            reactor, self.quick, self.layout, node, self.store, self.intake, self.resolver
        )
        self.backups = BackupService(reactor, self.quick, self.layout, node.backup)
        self.audit = AuditTrail(
            reactor, self.store, lambda: self.node.control.audit_days, self.audit_forward
        )
        self.updates = UpdateService(
            reactor,
            self.slow,
            node,
            Policies(self.store),
            evolve(
                default_gateways(self.layout),
                hits_of=self._hits_of,
                stored=lambda: device_names(self.layout),
                claimed=partial(claimed_by_another, self.layout),
            ),
            self.audit.keep_scheduled,
        )
        self.events = EventService(
            reactor,
            WorkerProcess(reactor, self.layout.database),
            node.spool.max_age_days,
            upheaval=self.updates.upheaval,
        )
        self.upload_slots = DeferredSemaphore(node.upload.parallel)
        self.outlets = outlets_of(self.layout, node)
        self.site = site_of(reactor, self.layout, node)
        self.bookkeeper = LedgerKeeper(
            reactor,
            self.quick,
            self.layout.ledger,
            self.intake.counts,
            self.senders.strangers.counts,
            self.spool.stored_lines,
            self.spool.lost_lines,
            lambda: balanced(self.parts, look=False),
        )
        self.lags = ReaderLags(reactor, self.spool.ends, self.spool.positions)
        self.publisher = PolicyPublisher(
            reactor,
            self.slow,
            self.layout,
            self._lists_published,
            lambda: self.store.opened,
            node.portal.permitted_servers,
        )
        self.notified = NotifyListener(
            reactor,
            node.policy.notify,
            node.policy.servers,
            self._resolve,
            self.updates.uses,
            self.updates.lists_changed,
        )
        self.portal = embedded_services(
            self.reactor, self.quick, self.layout, self.node, self.audit.keep
        )
        self.lists = ListService(
            reactor,
            self.quick,
            self.layout.lists,
            self.layout.lists,
            node.listen,
            PullBook(StoredPulls(self.store)),
            partial(wall_seconds, reactor),
        )
        self.lists.portal = next(
            (
                PortalLists(one.registry, one.zones)
                for one in self.portal
                if isinstance(one, PolicyService)
            ),
            None,
        )
        self.watch = WatchService(
            reactor,
            node.listen,
            lambda: health.figures(self.parts),
            lambda: health.wrong(self.parts),
            lambda: health.noted(self.parts),
        )
        self.parts = self._parts()
        self.alarms, self.reports = notifying(self.parts, self.node, self.audit_forward)
        self.calls = Calls(self.parts, self.audit.keep)
        self.follower = follower_of(reactor, self.quick, self.calls, self.audit.keep)
        self.control = ControlService(
            reactor, self.layout, self.calls, lambda: delegates_of(self.node)
        )
        self.files = SettingsWatch(self, reactor)
        every = partial(PeriodicService, reactor)
        sample = self.lags.sample
        self._watch = every(WATCH_SECONDS, self.files.poll, "settings watch", WATCH_SECONDS)
        self._lag_looks = every(LOOK_SECONDS, sample, "check of log ends", LOOK_SECONDS)
        self._audit_expiry = every(
            EXPIRY_SECONDS, self.audit.expire, "expiry of the audit", REOPEN_SECONDS
        )

    @classmethod
    def from_files(cls, layout: Layout, reactor: Any) -> Self:
        """Read the node's settings and wire the rooms.  Raises `TscmError`."""
        return cls(layout, reactor, read_node(layout))

    def _parts(self) -> Node:
        """The parts as values for operations.  Figures and settings are read when they are asked for."""
        writing = DeferredLock()

        def write(call: Callable[..., Any], *args: Any) -> Deferred[Any]:
            self.opening.hold()
            # In a thread, for the disk may be slow and all devices are compared.
            return writing.run(self.quick.run, call, *args)

        return Node(
            layout=self.layout,
            settings=lambda: self.node,
            clock=self.reactor,
            quick=self.quick,
            slow=self.slow,
            write=write,
            apply=lambda _, settings: self.in_force.start(settings),
            note_serial=self.updates.note_serial,
            retire=lambda name, _: self.in_force.stop(name),
            hold=self.opening.hold,
            jobs=Jobs(self.reactor),
            store=self.store,
            updates=self.updates,
            manager=Manager(
                started_at=lambda: self.started_at,
                devices=self.in_force.rooms,
                faults=self.in_force.faults,
                intake=self.intake,
                spool=self.spool,
                senders=self.senders,
                events=self.events,
                bookkeeper=self.bookkeeper,
                lags=self.lags,
                lists=self.lists,
                leave=self.in_force.leave,
                release=self.in_force.release,
                take=self.in_force.take,
                publisher=self.publisher,
                pairing=lambda: self.pairing,
                follower=lambda: self.follower,
                metrics_addresses=self.watch.addresses,
                services_addresses=lambda: {
                    type(one).__name__: one.addresses()
                    for one in (*self.portal, *([self.notified] if self.node.policy.notify else []))
                },
                audit_targets=self.audit_forward.figures,
                backups=self.backups.figures,
                alarms=lambda: self.alarms,
                reports=lambda: self.reports,
                kept_uploads=lambda: (
                    None if self.log_service is None else self.log_service.figures()
                ),
            ),
        )

    def _hits_of(self, name: str) -> Hits:
        return recent_hits(self.layout.database, name, wall_seconds(self.reactor))

    def _resolve(self, name: str) -> Deferred[Sequence[str]]:
        return self.quick.run(resolve, name)

    @property
    def log_service(self) -> LogService | None:
        """The embedded log service, where there is one."""
        return next((one for one in self.portal if isinstance(one, LogService)), None)

    @property
    def pairing(self) -> PairingService | None:
        """The listener for managers that follow this portal, where there is one."""
        return next((one for one in self.portal if isinstance(one, PairingService)), None)

    def _log_opened(self, name: str, lines: int) -> None:
        """A log that took long to open is open: the device comes into force with the next look at the files."""
        self.bookkeeper.add_log(name, lines)
        self._watch.run_soon()

    # -- life -----------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """
        Take the root and bind everything.  Raises `TscmError`; a port below 1024 needs the right.
        """
        super().privilegedStartService()
        # twistd may give root's rights up behind this: what root makes here must not stay root's.
        with chown_to_owner(self.layout):
            self.lock.acquire()
            with suppress(PoliciesHeld):  # looked at again, and told, when the database is opened
                self.opening.hold()
        self.intake.privilegedStartService()
        with chown_to_owner(self.layout):
            self.control.privilegedStartService()
            for one in self.portal:
                if not isinstance(one, PolicyService):
                    one.make_files()
            self.lists.make_files()
        self.lists.privilegedStartService()
        self.watch.privilegedStartService()
        self.notified.privilegedStartService()
        for one in self.portal:
            one.privilegedStartService()

    def _lists_published(self, names: tuple[str, ...]) -> None:
        """Serve what was published, and have the devices that use it updated."""
        for one in self.portal:
            if isinstance(one, PolicyService):
                looked = Deferred.fromCoroutine(one.zones.look_again())
                looked.addBoth(lambda _: self.updates.lists_changed(names))
                return
        self.updates.lists_changed(names)

    def startService(self) -> None:
        """Open what keeps things, then the devices, then let lines in."""
        super().startService()
        owner = become_owner(self.layout)
        if owner is not None:
            self._log.info("dropping root privileges for {owner}, who owns the files", owner=owner)
        self.started_at = wall_seconds(self.reactor)
        self.quick.startService()
        self.slow.startService()
        self.spool.share_files(allowed_files(), self.node.intake.max_connections)
        self.spool.startService()
        self.audit_forward.startService()
        self.opening.startService()
        self.publisher.startService()
        for one in self.portal:
            one.startService()
        complete_renaming(self.layout, self.store)
        self.files.begin()
        self._lag_looks.startService()
        self.bookkeeper.startService()
        self.intake.startService()
        self.control.startService()
        self.watch.startService()
        self.lists.startService()
        self.notified.startService()
        self._watch.startService()
        self._audit_expiry.startService()
        self.backups.startService()
        self.alarms.startService()
        self.reports.startService()
        self.follower.startService()
        self.systemd.startService()
        self._log.info(
            "tscm manages {devices} in {root}, and receives syslog on {places}",
            devices=many(len(self.in_force.rooms), "device", "devices"),
            root=str(self.layout.root),
            places=", ".join(
                f"{kind} {place}"
                for kind, places in self.intake.addresses().items()
                for place in places
            )
            or "no address",
        )

    def reload_settings(self) -> None:
        """Look at the files now and not with the next round: SIGHUP."""
        self._log.info(
            "SIGHUP received: re-reading the settings files; everything else keeps running"
        )
        self.files.look_at_all()
        self._watch.run_soon()

    def _begin_with_store(self) -> None:
        self.audit_forward.begin()
        self.updates.startService()
        self.events.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing of ours is running; each room has a limited time."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """
        What waits for others ends first, all at once; then intake, and last what keeps its lines.

        Lines come in meanwhile, and are stored: they wait for their readers until the next start.
        """
        self._endings.begin_stop()
        self.slow.hurry()
        await self._endings.end("systemd notification", self.systemd.say_stopping)
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("settings watch", self._watch.stopService),
            ("database check", self.opening.stopService),
            ("expiry of the audit", self._audit_expiry.stopService),
            ("scheduled backup", self.backups.stopService),
            ("scheduled reports", self.reports.stopService),
            ("following of portals", self.follower.stopService),
            ("alarms", lambda: Deferred.fromCoroutine(self.alarms.stopService())),
            ("check of log ends", self._lag_looks.stopService),
            ("control interface", self.control.stopService),
            ("metrics", self.watch.stopService),
            ("lists listener", self.lists.stopService),
            ("NOTIFY", self.notified.stopService),
            ("publication of policies", self.publisher.stopService),
            ("policy updates", self.updates.stopService),
            ("event reader", self.events.stopService),
            ("readers", self.in_force.stop_readers),
            *(("embedded service", one.stopService) for one in self.portal),
        ]
        await DeferredList(
            [Deferred.fromCoroutine(self._endings.end(what, stop)) for what, stop in steps]
        )
        if self.site is not None:
            await self._endings.end("cluster", self.site.broker.stopService)
        await self._endings.end("slow threads", self.slow.stopService)
        await self._endings.end("intake", self.intake.stopService)
        # What other processes did to the files belongs into the last note, not to the next start.
        await self._endings.end("check of live logs", self.spool.look_at_files)
        await self._endings.end("ledger", self.bookkeeper.stopService)
        await self._endings.end("audit for the SIEM", self.audit_forward.stopService)
        await self._endings.end("spool", self.spool.stopService)
        await self._endings.end("quick threads", self.quick.stopService)
        await self._endings.end("watchdog", self.systemd.stopService)
        self.files.stop()
        self.opening.release()
        self.lock.release()
