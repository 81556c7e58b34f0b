"""
Any sequence of append, seal, read, confirm, retention and crash keeps the balance.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, make_spool, run_of
from tests.spool.test_spool_recovery import killed
from tests.spool.test_spool_service import BIG
from tscm.model import Block
from tscm.spool.service import SpoolService

READERS = ("forward", "upload")
DAY = 86400
PHASES = [Phase.explicit, Phase.generate, Phase.shrink]


class LogMachine(RuleBasedStateMachine):
    """
    One device's log with two readers, beside a plain list of what was promised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logs = Path(tempfile.mkdtemp(prefix="tscm-machine-"))
        self.clock = Clock()
        self.clock.advance(DAY)
        self.disk = FaultyDisk()
        self.lines: list[bytes] = []
        self.confirmed: dict[str, int] = dict.fromkeys(READERS, 0)
        self.in_flight: dict[str, list[Block]] = {name: [] for name in READERS}
        self.open()

    def open(self) -> None:
        self.spool: SpoolService = make_spool(self.logs, self.clock, self.disk, max_age_days=1)
        self.spool.open_device("asa", BIG)
        self.spool.startService()
        self.readers = {name: self.spool.reader("asa", name) for name in READERS}
        self.in_flight = {name: [] for name in READERS}

    def teardown(self) -> None:
        self.spool.stopService()
        shutil.rmtree(self.logs)

    @initialize(rotate=st.integers(50, 500))
    def rotate_size(self, rotate: int) -> None:
        self.spool.open_device("asa", rotate)

    @rule(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4))
    def append(self, sizes: list[int]) -> None:
        batch = [b"%06d %s" % (len(self.lines) + n, b"x" * size) for n, size in enumerate(sizes)]
        assert self.spool.append("asa", [run_of(*batch)], self.clock.seconds())
        self.lines += batch

    @rule(room=st.integers(0, 40))
    def append_to_a_full_disk(self, room: int) -> None:
        self.disk.room = room
        batch = [b"%06d %s" % (len(self.lines), b"y" * 50)]
        assert not self.spool.append("asa", [run_of(*batch)], self.clock.seconds())
        self.disk.room = None

    @rule()
    def seal(self) -> None:
        self.spool.seal("asa")

    @rule(name=st.sampled_from(READERS), size=st.integers(1, 300), sealed=st.booleans())
    def read(self, name: str, size: int, *, sealed: bool) -> None:
        reader, flying = self.readers[name], self.in_flight[name]
        at = max([reader.position.offset, *(block.end for block in flying)])
        block = reader.read(at, size, sealed_only=sealed)
        if block is not None:
            assert block.data.count(b"\n") == block.lines
            numbers = [int(line[:6]) for line in block.data.splitlines()]
            assert block.data == b"".join(self.lines[n] + b"\n" for n in numbers)
            assert numbers == list(range(numbers[0], numbers[0] + block.lines))
            flying.append(block)

    @precondition(lambda self: any(self.in_flight.values()))
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([n for n in READERS if self.in_flight[n]]))
        flying = self.in_flight[name]
        count = data.draw(st.integers(1, len(flying)))
        done, self.in_flight[name] = flying[:count], flying[count:]
        lines = sum(block.lines for block in done)
        not_selected = data.draw(st.integers(0, lines))
        self.readers[name].confirm(
            done[-1].end, sent=lines - not_selected, not_selected=not_selected
        )

    @rule(name=st.sampled_from(READERS))
    def read_again_from_the_position(self, name: str) -> None:
        self.in_flight[name] = []

    @rule()
    def let_a_second_pass(self) -> None:
        self.clock.advance(1)

    @rule()
    def work_on_sealed_segments(self) -> None:
        self.clock.pump([5, 5])

    @rule()
    def let_everything_sealed_expire(self) -> None:
        self.clock.pump([DAY + 1, 61])

    @rule(torn=st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")))
    def kill(self, torn: bytes) -> None:
        killed(self.spool)
        self.spool.stopService()
        with (self.logs / "asa/syslog").open("ab") as live:
            live.write(torn)
        before = {name: reader.position for name, reader in self.readers.items()}
        self.open()
        assert {name: reader.position for name, reader in self.readers.items()} == before

    @rule()
    def restart(self) -> None:
        self.spool.stopService()
        self.open()

    @rule()
    def lose_a_sealed_segment(self) -> None:
        segments = sorted((self.logs / "asa").glob("syslog.*"))
        if segments:
            segments[0].unlink()

    @rule(name=st.sampled_from(["segments", "state", "index"]))
    def lose_what_can_be_made_anew(self, name: str) -> None:
        killed(self.spool)
        self.spool.stopService()
        folder = self.logs / "asa/.spool"
        for path in folder.glob("*.index") if name == "index" else [folder / name]:
            path.unlink(missing_ok=True)
        self.open()

    @invariant()
    def everything_promised_is_stored_and_balances(self) -> None:
        figures = self.spool.figures("asa")
        assert figures.stored_lines == len(self.lines)
        for name, one in figures.readers.items():
            told = one.sent + one.not_selected + one.expired + one.waiting_lines
            assert told == len(self.lines), (name, one)
            assert one.difference == 0
        assert not os.path.lexists(self.logs / "asa/.spool/next")


LogMachine.TestCase.settings = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=40,
    print_blob=False,
    phases=PHASES,
)
TestLogMachine = LogMachine.TestCase
