"""
Settings to service tree: the only place where the rooms meet.

What brings lines in binds first, is the last to start reading and the first to stop; what
keeps lines is there before and after.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger

from tscm.bookkeeping import Bookkeeper
from tscm.clock import wall_seconds
from tscm.control import ControlService
from tscm.device_rooms import DROP, EVENTS, DeviceRooms
from tscm.errors import (
    DeviceEnding,
    DeviceUnknown,
    SecretUnavailable,
    SenderConflict,
    TscmError,
)
from tscm.events.process import WorkerProcess
from tscm.events.recent import recent_hits
from tscm.events.service import EventService
from tscm.forward.resolve import Resolver
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.systemd import Activation, SystemdService
from tscm.operations import NodeOperations
from tscm.policy.rank import Hits
from tscm.portal.log_service import LogService
from tscm.portal.policy_service import PolicyService
from tscm.schedule import PeriodicService
from tscm.secrets import load_key
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.settings.node import NodeSettings
from tscm.spool.service import SpoolService
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.threads import Threads
from tscm.update.service import UpdateService
from tscm.update.ways import ordinary_ways, resolve
from tscm.watch import WatchService

WATCH_SECONDS = 2.0
GONE_LOOKS = 3
REOPEN_SECONDS = 5.0
STOP_SECONDS = 20.0
_QUICK_THREADS = 6

Signature = tuple[int, int, int]


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
    spool: SpoolService = field(init=False)
    senders: SenderTable = field(init=False)
    intake: IntakeService = field(init=False)
    systemd: SystemdService = field(init=False)
    updates: UpdateService = field(init=False)
    events: EventService = field(init=False)
    upload_slots: DeferredSemaphore = field(init=False)
    resolver: Resolver = field(init=False)
    """Looks up the names of forwarding targets: shared, so that no dead one holds all threads."""
    bookkeeper: Bookkeeper = field(init=False)
    control: ControlService = field(init=False)
    watch: WatchService = field(init=False)
    portal: list[PolicyService | LogService] = field(factory=list, init=False)
    rooms: dict[str, DeviceRooms] = field(factory=dict, init=False)
    faults: dict[str, str] = field(factory=dict, init=False)
    """Why a device's settings file is not in force, by nickname; `""` is the node's own."""
    started_at: float = field(default=0.0, init=False)
    _watch: PeriodicService = field(init=False)
    _reopening: PeriodicService = field(init=False)
    """Runs only where the database could not be used at the start."""
    _seen: dict[str, Signature] = field(factory=dict, init=False)
    _refused: set[str] = field(factory=set, init=False)
    """Devices that the disk or another device did not let begin: tried again."""
    _ending: set[str] = field(factory=set, init=False)
    """Devices that are taken out of force and have not ended yet."""
    _missing: dict[str, int] = field(factory=dict, init=False)
    """Looks since the file of a device that is in force was last seen."""

    def __attrs_post_init__(self) -> None:
        node, reactor = self.node, self.reactor
        self.lock = RootLock(self.layout.lock, "the manager")
        self.quick = Threads(reactor, _QUICK_THREADS, "tscm-quick")
        self.slow = Threads(
            reactor, node.policy.parallel_updates + node.upload.parallel, "tscm-slow"
        )
        self.store = Store(self.layout.database)
        self.spool = SpoolService(self.layout.logs, node.spool, reactor, self.quick)
        self.senders = SenderTable()
        activation = Activation.of(os.environ, os.getpid())
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
        self.updates = UpdateService(
            reactor,
            self.slow,
            node,
            Policies(self.store),
            evolve(ordinary_ways(), hits_of=self._hits_of),
        )
        self.events = EventService(
            reactor, WorkerProcess(reactor, self.layout.database), node.spool.max_age_days
        )
        self.upload_slots = DeferredSemaphore(node.upload.parallel)
        self.resolver = Resolver(reactor, self.quick)
        operations = NodeOperations(self)
        self.bookkeeper = Bookkeeper(
            reactor,
            self.quick,
            self.layout.ledger,
            self.intake.accounts,
            self.senders.strangers.counts,
            self.spool.stored_lines,
            operations.balance,
        )
        self.control = ControlService(reactor, self.layout, operations)
        self.portal = self._portal()
        self.watch = WatchService(
            reactor, node.listen.metrics, operations.watched, operations.wrong
        )
        self._watch = PeriodicService(
            reactor, WATCH_SECONDS, self._look, "watch over the settings", WATCH_SECONDS
        )
        self._reopening = PeriodicService(
            reactor, REOPEN_SECONDS, self._open_store_again, "look at the database", REOPEN_SECONDS
        )

    @classmethod
    def from_files(cls, layout: Layout, reactor: Any) -> Self:
        """Read the node's settings and wire the rooms.  Raises `TscmError`."""
        return cls(layout, reactor, read_node(layout))

    def _hits_of(self, name: str) -> Hits:
        return recent_hits(self.layout.database, name, wall_seconds(self.reactor))

    def _resolve(self, name: str) -> Deferred[Sequence[str]]:
        return self.quick.run(resolve, name)

    def _portal(self) -> list[PolicyService | LogService]:
        wanted, folder = self.node.portal, self.layout.portal
        found: list[PolicyService | LogService] = []
        if wanted.dns:
            found.append(PolicyService(self.reactor, self.quick, folder, wanted.dns))
        if wanted.logs:
            found.append(
                LogService(
                    self.reactor,
                    self.quick,
                    folder,
                    wanted.logs,
                    certificate=wanted.certificate,
                    key=wanted.key,
                )
            )
        return found

    # -- life -----------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """
        Take the root and bind everything.  Raises `TscmError`; a port below 1024 needs the right.
        """
        super().privilegedStartService()
        self.lock.acquire()
        self.intake.privilegedStartService()
        self.control.privilegedStartService()
        self.watch.privilegedStartService()
        for one in self.portal:
            one.privilegedStartService()

    def startService(self) -> None:
        """Open what keeps things, then the devices, then let lines in."""
        super().startService()
        self.started_at = wall_seconds(self.reactor)
        self.quick.startService()
        self.slow.startService()
        self.spool.startService()
        if not self._open_store():
            self._reopening.startService()
        for one in self.portal:
            one.startService()
        self._note_node_file()
        for name in device_names(self.layout):
            self._seen[name] = self._signature(name)
            self._load(name)
        self.bookkeeper.startService()
        self.intake.startService()
        self.control.startService()
        self.watch.startService()
        self._watch.startService()
        self.systemd.startService()
        self._log.info(
            "tscm works on {root} with {count} devices",
            root=str(self.layout.root),
            count=len(self.rooms),
        )

    def _open_store(self) -> bool:
        """
        What needs the database begins once it can be used; collecting goes on without it.
        """
        before = self.store.fault
        try:
            self.store.open()
        except TscmError as error:
            if str(error) != str(before):
                self._log.error(
                    "{error}; until then lines are collected, forwarded and uploaded, and no policy "
                    "is updated",
                    error=str(error),
                )
            return False
        self.updates.startService()
        self.events.startService()
        return True

    async def _open_store_again(self) -> None:
        if self.store.fault is not None and self._open_store():
            self._log.info("the database can be used again: policies are updated")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing of ours is running; each room has a limited time."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._end("word to systemd", self.systemd.stopService)
        await self._end("settings watch", self._watch.stopService)
        await self._end("look at the database", self._reopening.stopService)
        await self._end("intake", self.intake.stopService)
        await self._end("ledger", self.bookkeeper.stopService)
        await self._end("control interface", self.control.stopService)
        await self._end("metrics", self.watch.stopService)
        await self._end("policy updates", self.updates.stopService)
        await self._end("event reader", self.events.stopService)
        await self._end("readers", self._stop_readers)
        await self._end("spool", self.spool.stopService)
        for one in self.portal:
            await self._end("embedded service", one.stopService)
        await self._end("slow threads", self.slow.stopService)
        await self._end("quick threads", self.quick.stopService)
        self.store.close()
        self.lock.release()

    def _stop_readers(self) -> Deferred[Any]:
        """All at once: hundreds of devices with a SIEM that hangs must not wait one for another."""
        return DeferredList(
            [maybeDeferred(one.stop) for one in self.rooms.values()], consumeErrors=True
        )

    async def _end(self, what: str, stop: Callable[[], Any]) -> None:
        ended = maybeDeferred(stop)
        ended.addTimeout(STOP_SECONDS, self.reactor)
        try:
            await ended
        except DeferredTimeout:
            self._log.warn("{what} did not stop in {limit} s", what=what, limit=STOP_SECONDS)
        except Exception:  # noqa: BLE001 - the others must be stopped whatever this one says
            self._log.failure("{what} failed to stop", what=what)

    # -- devices --------------------------------------------------------------

    def device(self, name: str) -> DeviceRooms:
        """The rooms of a device that is in force.  Raises `DeviceUnknown`."""
        try:
            return self.rooms[name]
        except KeyError:
            raise DeviceUnknown(name) from None

    def put_in_force(self, settings: DeviceSettings) -> None:
        """
        Begin with a device, or go on with other settings.

        Raises `SenderConflict`, `DeviceEnding`, `OSError`.
        """
        name = settings.name
        if name in self._ending:
            raise DeviceEnding(name)
        self.senders.claim(name, settings.senders, settings.tls_fingerprints)
        present = self.rooms.get(name)
        if present is None:
            self.spool.open_device(name, settings.log_rotate_size * 1024)
            present = self.rooms[name] = DeviceRooms(self, settings)
            present.start()
        elif present.settings != settings:
            self.spool.open_device(name, settings.log_rotate_size * 1024)
            present.change(settings)
        self.events.follow(
            name, self.spool.reader(name, EVENTS), settings.block_list, settings.allow_list
        )
        self.updates.set_device(settings)
        self.faults.pop(name, None)

    async def take_out_of_force(self, name: str) -> None:
        """End with a device; its log stays on the disk."""
        rooms = self.rooms.pop(name, None)
        self.senders.release(name)
        self.updates.forget_device(name)
        self.faults.pop(name, None)
        self._seen.pop(name, None)
        if rooms is None:
            return
        self._ending.add(name)
        try:
            await self._end(
                f"events of {name}", lambda: Deferred.fromCoroutine(self._no_events(name))
            )
            await self._end(f"readers of {name}", rooms.stop)
            if rooms.settings.backlog == DROP:
                self.spool.forget_device(name)
            else:  # whoever adds it again goes on where its readers stand
                self.spool.drop_reader(name, EVENTS)
                self.spool.close_device(name)
        finally:
            self._ending.discard(name)

    async def _no_events(self, name: str) -> None:
        await self.events.leave(name)
        if self.store.fault is None:
            await self.events.forget(name)

    def _load(self, name: str) -> None:
        """
        Put the file of a device in force; one with a fault leaves what there is, and is shown.

        With the sealing key lost the device's lines are still collected: only what needs a
        password waits.
        """
        self._refused.discard(name)
        try:
            self.put_in_force(self._read(name))
        except DeviceUnknown:
            return
        except (TscmError, OSError) as error:
            sentence = str(error)
            if isinstance(error, OSError):
                self._refused.add(name)
                sentence = (
                    f"it cannot be put in force: {error}; check the disk of the logs and its "
                    f"rights (it is tried again every {WATCH_SECONDS:.0f} s)"
                )
            elif isinstance(error, SenderConflict | DeviceEnding):
                self._refused.add(name)  # until another device's file, or its own end, makes room
            if self.faults.get(name) != sentence:
                self._log.error("device {device}: {error}", device=name, error=sentence)
            self.faults[name] = sentence

    def _read(self, name: str) -> DeviceSettings:
        try:
            return read_device(self.layout, name, load_key(self.layout.key))
        except SecretUnavailable as error:
            if name in self.rooms:
                raise
            settings = read_device(self.layout, name, None)
            self.put_in_force(
                evolve(settings, policy_updates=False, send_logs=False, backlog="keep")
            )
            raise error from None

    # -- files that are edited by hand ------------------------------------------

    def _signature(self, name: str) -> Signature:
        path = _file_of(self.layout, name)
        try:
            found = os.stat(path)  # noqa: PTH116 - one call gives all three
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _note_node_file(self) -> None:
        self._seen[""] = self._signature("")

    async def _look(self) -> None:
        names = device_names(self.layout)
        for name in names:
            signature = self._signature(name)
            if self._seen.get(name) != signature:
                self._seen[name] = signature
                self._log.info("settings of {device} changed", device=name)
                self._load(name)
            elif name in self._refused:
                self._load(name)
        for name in self._gone(names):
            self._log.info("settings of {device} are gone", device=name)
            await self.take_out_of_force(name)
        for name in self.faults.keys() - self.rooms.keys() - {"", *names}:
            del self.faults[name]  # its file, which never came into force, is gone
        if self._seen.get("") != self._signature(""):
            self._note_node_file()
            self._look_at_node()

    def _gone(self, names: Iterable[str]) -> list[str]:
        """
        Devices in force whose file has been missing for a while.

        With a device go its readers' positions and its roll-ups.  So not at the first look: an editor
        or a checkout may be replacing the file; and not while the whole folder is away.
        """
        if not self.layout.devices.is_dir():
            names = self.rooms
        missing = self.rooms.keys() - set(names)
        self._missing = {name: self._missing.get(name, 0) + 1 for name in missing}
        return sorted(name for name, looks in self._missing.items() if looks >= GONE_LOOKS)

    def _look_at_node(self) -> None:
        try:
            wanted = read_node(self.layout)
        except TscmError as error:
            self.faults[""] = str(error)
            self._log.error("{error}; the settings before it stay in force", error=str(error))
            return
        if wanted == self.node:
            self.faults.pop("", None)
            return
        listen = evolve(wanted.listen, metrics=self.node.listen.metrics)
        if evolve(
            self.node, intake=wanted.intake, listen=listen
        ) == wanted and self.intake.take_bounds(wanted.intake):
            self.node = evolve(self.node, intake=wanted.intake)
            try:
                self.intake.take_listen(listen)
            except TscmError as error:
                self.faults[""] = str(error)
                self._log.error("{error}; the listeners before it stay", error=str(error))
                return
            self.node = wanted
            self.faults.pop("", None)
            self._log.info("listeners and bounds of intake are as the settings say")
            return
        self.faults[""] = (
            f"{self.layout.settings_file} has changed; restart the manager to put it in force"
        )
        self._log.warn("{notice}", notice=self.faults[""])


@lru_cache(maxsize=4096)
def _file_of(layout: Layout, name: str) -> str:
    """Where settings lie, as text: asked for each device every two seconds."""
    return str(layout.device_file(name) if name else layout.settings_file)
