"""
The test of a device's whole chain in the manager: `tsadmin test NAME`.

An entry of documentation space is blocked for as long as it takes to see what becomes of it: in the
groups, in the access-list, in the log, in the roll-ups and on the way to the SIEM.  Whatever happens in
between, it is taken away at the end; what cannot be is known to the next update by its note.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.doctor import proof_links as links
from tscm.doctor.finding import Finding, failed, ok
from tscm.doctor.lines import line_about
from tscm.doctor.prover import Prepared, Prover, prover_of
from tscm.errors import DeviceFault, TscmError
from tscm.kinds.faults import Unauthorised
from tscm.model import LogReader, Progress, Report
from tscm.standing import Verdict
from tscm.syslog.asa import AsaEvent

if TYPE_CHECKING:
    from tscm.update.proofs import HeldTurn

READER_SECONDS = 30.0
"""How long event reader and forwarder may take for a line that is in the log."""
_PAUSES = (0.0, 5.0, 15.0)
"""Before each try to take the entry away."""
_LOOK_SECONDS = 0.25
_BLOCK_BYTES = 1 << 20


@frozen(kw_only=True)
class Target:
    """
    One target of the forwarder, and the reader of the log that stands for it.
    """

    name: str
    answers: bool
    reader: LogReader
    fault: Callable[[], str | None]


@define(eq=False)
class _Chain:
    """The links as they are found, each with the time since the one before."""

    _clock: IReactorTime
    passed: list[links.Passed] = field(factory=list, init=False)
    _last: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._last = self._clock.seconds()

    @property
    def findings(self) -> list[Finding]:
        return list(self.passed)

    def add(self, finding: Finding, seconds: float | None = None) -> bool:
        """One link more; does it hold as far as can be seen?"""
        now = self._clock.seconds()
        took = now - self._last if seconds is None else seconds
        self.passed.append(links.Passed.of(finding, took))
        self._last = now
        return finding.verdict != Verdict.FAILED

    def give_up(self, after: str, why: str = "", *, forwards: bool) -> None:
        """Nothing can be said of the links behind *after*, which does not hold unless *why* says more."""
        for finding in links.behind(after, why, forwards=forwards):
            self.add(finding, 0.0)


@frozen(kw_only=True)
class _Watch:
    """What is looked for: the address, where the log ended before, and hits that it had before."""

    address: str
    start: int
    hits: int


@frozen(kw_only=True)
class Proof:
    """
    What the manager hands the test of one device.

    *expect* has the event reader count hits on an entry that no generation has; *knock* sends a packet
    of this host's to an address, or is None.
    """

    name: str
    database: Path
    clock: IReactorTime
    threads: Threads
    log: LogReader
    targets: Mapping[str, Target]
    events_fault: Callable[[], str | None]
    expect: Callable[[str], None]
    wait_seconds: float
    knock: Callable[[str], Deferred[object]] | None = None

    async def run(self, hold: "HeldTurn", report: Report) -> links.Proven:
        """
        The links and whether all hold, in the turn that *hold* is.

        Raises `ProofRefused`, `DeviceFault` and what the database says, before anything was pushed.
        """

        def told(progress: Progress) -> None:
            hold.tell(progress)
            report(progress)

        begun, prover = self.clock.seconds(), prover_of(hold.job.settings)
        prepared = await hold.in_thread(prover.prepare, hold.number, told)
        chain = _Chain(self.clock)
        self.expect(prepared.entry)
        hold.note(prepared.entry)
        try:
            await self._prove(hold, prover, prepared, chain, told)
        finally:
            chain.add(await self._taken_away(hold, prepared.entry, told))
        seconds = self.clock.seconds() - begun
        return links.Proven(
            name=self.name,
            entry=prepared.entry,
            proven=links.proven(chain.passed),
            sentence=links.sentence_of(self.name, prepared.entry, chain.passed, seconds),
            seconds=round(seconds, 3),
            links=tuple(chain.passed),
        )

    async def _prove(
        self, hold: "HeldTurn", prover: Prover, prepared: Prepared, chain: _Chain, told: Report
    ) -> None:
        forwards = bool(self.targets)
        address = prepared.entry.partition("/")[0]
        watch = _Watch(address=address, start=self.log.end, hits=await self._hits(address))
        try:
            pushed = await hold.in_thread(prover.put_in, prepared.entry, prepared.command, told)
        except DeviceFault as fault:
            chain.add(failed(links.PUSHED, fault.cause, fault.remedy))
            chain.give_up(links.PUSHED, forwards=forwards)
            return
        chain.add(
            ok(links.PUSHED, f"{prepared.entry} was read back from {pushed.group}"),
            pushed.push_seconds,
        )
        if not chain.add(evolve(prepared.use, link=links.IN_FORCE), 0.0):
            chain.give_up(links.IN_FORCE, forwards=forwards)
            return
        if not chain.add(
            evolve(prepared.judge_match(pushed.said), link=links.MATCHED), pushed.look_seconds
        ):
            chain.give_up(links.MATCHED, forwards=forwards)
            return
        told(Progress(phase="check", text=f"waiting for the line about {prepared.packet}"))
        await self._follow(hold, chain, told, watch)

    async def _follow(self, hold: "HeldTurn", chain: _Chain, told: Report, watch: "_Watch") -> None:
        """The line from the log to the roll-ups and to every target."""
        address, forwards = watch.address, bool(self.targets)
        knocking = None if self.knock is None else self.knock(address)
        end, event = await self._line(hold, watch.start, address)
        if knocking is not None:
            knocking.cancel()
        if event is None and hold.ends:
            chain.give_up(links.MATCHED, "the manager is stopping", forwards=forwards)
            return
        knocked = knocking is not None
        finding = links.judge_line(event, address, self.wait_seconds, knocked=knocked)
        if not chain.add(finding) or event is None:
            chain.give_up(links.RECEIVED, forwards=forwards)
            return
        told(Progress(phase="check", text="waiting for the event reader"))
        hits = await self._counted(hold, address, watch.hits)
        chain.add(links.judge_counted(hits, address, self.events_fault()))
        if forwards:
            told(Progress(phase="check", text="waiting for the forwarder"))
            chain.add(links.judge_sent(await self._sent(hold, end)))

    # -- what is waited for --------------------------------------------------------

    async def _line(
        self, hold: "HeldTurn", offset: int, address: str
    ) -> tuple[int, AsaEvent | None]:
        """The first line about *address*, and where the log goes on behind it."""
        until = self.clock.seconds() + self.wait_seconds
        while not hold.ends:
            block = self.log.read(offset, _BLOCK_BYTES)
            if block is not None:
                found = await self.threads.run(line_about, block.data, address)
                if found is not None:
                    return block.start + found[0], found[1]
                offset = block.end
            elif self.clock.seconds() >= until:
                break
            else:
                await deferLater(self.clock, _LOOK_SECONDS)
        return offset, None

    async def _counted(self, hold: "HeldTurn", address: str, before: int) -> int:
        """Hits on *address* beyond those *before*."""
        until = self.clock.seconds() + READER_SECONDS
        while True:
            hits = await self._hits(address) - before
            if hits > 0 or hold.ends or self.clock.seconds() >= until:
                return max(0, hits)
            await deferLater(self.clock, _LOOK_SECONDS)

    async def _hits(self, address: str) -> int:
        """Hits on *address* in the roll-ups of today; 0 where they cannot be read."""
        return await self.threads.run(
            _hits_on, self.database, self.name, address, wall_seconds(self.clock)
        )

    async def _sent(self, hold: "HeldTurn", end: int) -> list[links.SentTo]:
        """How far each target is with the line that ends at *end*."""
        until = self.clock.seconds() + READER_SECONDS
        while True:
            found = [
                links.SentTo(
                    target=one.name,
                    answers=one.answers,
                    sent=one.reader.position.offset >= end,
                    waiting=one.reader.waiting_lines(),
                    fault=one.fault(),
                )
                for one in self.targets.values()
            ]
            if all(one.sent for one in found) or hold.ends or self.clock.seconds() >= until:
                return found
            await deferLater(self.clock, _LOOK_SECONDS)

    async def _taken_away(self, hold: "HeldTurn", entry: str, told: Report) -> Finding:
        """The device as it was before, in more than one try where it must be."""
        cause = "the manager is stopping"
        for pause in _PAUSES:
            if pause and not hold.ends:
                await deferLater(self.clock, pause)
            elif pause:
                break
            try:
                await hold.in_thread(prover_of(hold.job.settings).take_out, told)
                hold.note(None)
            except Unauthorised as fault:
                cause = fault.cause
                break
            except TscmError as fault:
                cause = fault.cause if isinstance(fault, DeviceFault) else str(fault)
            else:
                return ok(links.TAKEN_AWAY, "the groups have their previous entries again")
        return failed(
            links.TAKEN_AWAY,
            f"{entry} is still blocked: {cause}",
            f"the manager retries, and the next update removes it: `tsadmin update {self.name}`",
        )


def _hits_on(database: Path, device: str, address: str, now: float) -> int:
    """Blocking."""
    from tscm.events.report import ask, read_question

    try:
        asked = {"since": now - 3600, "outside": address, "action": "blocked", "top": 1}
        return ask(database, read_question(device, asked, now + 3600)).hits
    except TscmError:
        return 0
