"""
How a consumer of the log is added: a row, and a service that reads.  CONTRIBUTING.md points here.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, run_of
from tscm.base.secrets import Secret
from tscm.consumers.consumer import Consumer, Wanted
from tscm.consumers.loop import ReaderLoop
from tscm.intake.figures import DeviceIntake, IntakeCounts
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.ledger.balance import balance
from tscm.manager import consumers, log_consumers
from tscm.manager.consumers import DeviceConsumers
from tscm.manager.log_consumers import Means
from tscm.model import LogReader
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.spool.service import SpoolService

BLOCK_BYTES = 1 << 16
DENIED = b"%ASA-4-106023"
SETTINGS = AsaRestSettings(
    name="fw",
    device_id="tdid_fw",
    device="192.0.2.1",
    block_list="block.example",
    allow_list="allow.example",
    username="admin",
    password=Secret("secret"),
)


@define(eq=False)
class DenialFile(Service):
    """Copies the lines of denied packets to a file: one block a turn, so that lines go first."""

    _clock: Any
    _reader: LogReader
    _file: Path
    stamp: tuple[object, ...] = ()  # changes when something fails; nothing does here
    _loop: ReaderLoop = field(init=False)
    _more: IDelayedCall | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = ReaderLoop(self._clock, self._reader, 1.0, self._read)

    def startService(self) -> None:
        super().startService()
        self._loop.start()
        self._read()  # what waited while nothing ran

    def stopService(self) -> None:
        super().stopService()
        self._loop.stop()
        more, self._more = self._more, None
        if more is not None:
            more.cancel()

    def _read(self) -> None:
        self._more = None
        block = self._reader.read(self._reader.position.offset, BLOCK_BYTES)
        if block is None:
            self._loop.watch()
            return
        wanted = [line for line in block.data.splitlines(keepends=True) if DENIED in line]
        with self._file.open("ab") as file:  # done first, then confirmed: repeated, never skipped
            file.writelines(wanted)
        self._reader.confirm(block.end, sent=len(wanted), not_selected=block.lines - len(wanted))
        self._more = self._clock.callLater(0, self._read)


def wanted_by(settings: DeviceSettings, _: NodeSettings) -> Mapping[str, Wanted]:
    """A reader for each device that sends its logs; its service is changed when *setup* differs."""
    return {"denials": Wanted(user="file of denials", setup=settings.send_logs or None)}


def make(means: Means, settings: DeviceSettings, name: str) -> DenialFile:
    """The service of the reader *name* of one device."""
    reader = means.spool.reader(settings.name, name)
    return DenialFile(means.reactor, reader, means.layout.root / "denials")


DENIALS: Consumer[Means] = Consumer(
    name="denials", owns=lambda reader: reader == "denials", wants=wanted_by, make=make
)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the house: one row more in `CONSUMERS`."""
    monkeypatch.setattr(log_consumers, "CONSUMERS", (DENIALS,))
    monkeypatch.setattr(consumers, "_OWN", (DENIALS,))


def device_on(spool: SpoolService, clock: Clock, root: Path) -> DeviceConsumers:
    means: Any = SimpleNamespace(
        reactor=clock, spool=spool, layout=Layout(root), node=NodeSettings()
    )
    made = DeviceConsumers(means, SETTINGS)
    made.start()
    return made


@pytest.mark.usefixtures("registered")
def test_a_row_and_a_service_make_a_consumer(tmp_path: Path) -> None:
    clock = Clock()

    def opened() -> SpoolService:
        made = make_spool(tmp_path / "logs", clock)
        made.open_device("fw", 1 << 20)
        return made

    def receive(*lines: bytes) -> None:
        assert spool.append("fw", [run_of(*lines)], clock.seconds())
        clock.pump([1.0, 1.0, 1.0])

    def denials() -> list[bytes]:
        return (tmp_path / "denials").read_bytes().splitlines()

    spool = opened()
    device = device_on(spool, clock, tmp_path)
    receive(b"%ASA-6-302013: Built", b"%ASA-4-106023: Deny tcp one")
    assert denials() == [b"%ASA-4-106023: Deny tcp one"]

    # Switched off, it keeps its position; switched on again, it reads what came meanwhile.
    device.change(evolve(SETTINGS, send_logs=False))
    receive(b"%ASA-4-106023: Deny tcp two", b"%ASA-6-302014: Teardown")
    assert len(denials()) == 1
    device.change(SETTINGS)
    clock.pump([1.0, 1.0])
    assert denials()[1:] == [b"%ASA-4-106023: Deny tcp two"]

    # The next process continues from the position on the disk.
    device.stop()
    spool.close_device("fw")
    spool = opened()
    device = device_on(spool, clock, tmp_path)
    receive(b"%ASA-4-106023: Deny tcp three")
    assert len(denials()) == 3

    # The ledger has its row without another line of code.
    counts = IntakeCounts(devices={"fw": DeviceIntake(stored=1)})  # by this process
    found = balance(counts, {"fw": spool.figures("fw")}, users={"fw": device.users})
    row = found.devices["fw"].readers["denials"]
    assert (row.user, row.sent, row.not_selected, row.waiting) == ("file of denials", 3, 2, 0)
    assert found.balanced
    device.stop()
    spool.close_device("fw")
