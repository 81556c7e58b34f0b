"""
What is kept of updates: generations, outcomes, and what is known of each device.

The seam between runs, which are values, and the store.  In the reactor thread, in short transactions.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from tscm.errors import TscmError
from tscm.model import Identity, Json
from tscm.policy.by_hand import standing
from tscm.settings.device import DeviceSettings
from tscm.settings.values import new_entry
from tscm.store.by_hand import HandEntries
from tscm.store.generations import PURGED as PURGED_NOTE
from tscm.store.generations import Generation, GenerationRow
from tscm.store.policies import Policies
from tscm.update.alert import Alert, said
from tscm.update.answers import History
from tscm.update.figures import ACTS, InForce, Result, UpdateFigures, UpdateRecord
from tscm.update.generation_unknown import GenerationUnknown
from tscm.update.hold import Hold
from tscm.update.job import Stored, UpdateJob, nobody_knows
from tscm.update.known_name import KnownName
from tscm.update.memory import DeviceMemory
from tscm.update.outcome import UpdateOutcome
from tscm.wire.reading import read
from tscm.wire.writing import as_json

if TYPE_CHECKING:  # it brings numpy along, which a manager needs at its first update
    from tscm.update.purge import PurgeOutcome

LATEST_SHOWN = 10
_DAYS_MOST = 90
_DAY_SECONDS = 86400


def _day(at: float) -> int:
    return int(at // _DAY_SECONDS)


def _record(kept: Json) -> UpdateRecord | None:
    """One update as it was kept; None for one that another version wrote in a way that does not fit."""
    try:
        return read(UpdateRecord, kept)
    except (TypeError, AttributeError):
        return None


def _in_force(newest: GenerationRow) -> InForce:
    """What a device holds by its newest generation."""
    return InForce(
        since=newest.applied_at,
        block=newest.block_entries,
        allow=newest.allow_entries,
        purged=newest.note == PURGED_NOTE,
    )


def _left(present: DeviceMemory, outcome: UpdateOutcome) -> Mapping[str, float]:
    """What the firewall said that this update does not answer."""
    alert = Alert(pending=present.upheavals)
    if outcome.good:
        alert = alert.covered(outcome.started_at, outcome.finished_at)
    return alert.pending


@define(eq=False)
class GenerationMoved(TscmError):
    """
    Another generation is the newest than the one that was shown.
    """

    device: str
    newest: int

    def __str__(self) -> str:
        return (
            f"generation {self.newest} of {self.device} is the newest by now, so nothing was pushed; "
            f"compare the generations again with `tsadmin policy history {self.device}`"
        )


@define(eq=False)
class GenerationPurged(TscmError):
    """
    A generation is what a purge left, and no policy to go back to.
    """

    device: str
    number: int

    def __str__(self) -> str:
        return (
            f"generation {self.number} of {self.device} was stored by a purge and is not a "
            "policy to roll back to; list the others with `tsadmin policy history "
            f"{self.device}`"
        )


@frozen
class UpdateRecords:
    """
    The store as updates use it.  Everything raises `TscmError` where it cannot be used.
    """

    _policies: Policies
    _shown: dict[str, tuple[int, Hold | None, UpdateFigures]] = field(
        factory=dict, init=False, eq=False
    )
    """What was read of each device for its figures, and at which count of its changes."""

    @property
    def fault(self) -> TscmError | None:
        """Why the store is not open."""
        return self._policies.fault

    def refuse_fault(self) -> None:
        """Raise why the store is not open, where it is not."""
        if self.fault is not None:
            raise self.fault.with_traceback(None)

    def memory(self, name: str) -> DeviceMemory:
        """What is known of a device."""
        return DeviceMemory.from_json(self._policies.memory(name))

    def change_memory(self, name: str, **changes: Any) -> None:
        """Keep something else of it; what is as it was costs no write."""
        memory = self.memory(name)
        changed = evolve(memory, **changes)
        if changed != memory:
            self._policies.save_memory(name, changed.to_json())

    def note_refused_login(self, name: str) -> None:
        """The password was tried in vain by something else than an update: it counts towards the lock-out."""
        failures = self.memory(name).login_failures
        self.change_memory(name, login_failures=failures + 1)

    def settings_changed(self, before: DeviceSettings, after: DeviceSettings) -> None:
        """Forget what other settings have made untrue."""
        memory = self.memory(after.name)
        changed = memory.after_change(before, after)
        if changed != memory:
            self._policies.save_memory(after.name, changed.to_json())

    def rename(self, name: str, to: str) -> None:
        """All that is kept of a device is kept of *to*."""
        self._policies.rename(name, to)
        self._shown.pop(name, None)
        self._shown.pop(to, None)

    def forget(self, name: str) -> None:
        """All that is kept of a device."""
        self._shown.pop(name, None)
        self._policies.forget(name)

    def recognise(self, settings: DeviceSettings, stored: Stored = nobody_knows) -> str:
        """
        The permanent id of a device's entry, made where it has none.

        Where its file has another id than was known, it is a new device of that name: what is kept of
        the old one is forgotten.  A file without an id leaves the device the one it has; so does one
        with the id of another that is among the *stored*, of whose file it is a copy.

        Asked of each device at a start: costs the same however many there are, unless a file is a copy.
        """
        name, told = settings.name, settings.entry
        if told is not None and self._is_copied(name, told, stored):
            told = None
        present = self._policies.entry(name)
        if present is not None and told in {None, present}:
            return present
        if present is not None:
            self._policies.forget(name)
        entry = told or new_entry()
        self._policies.keep_entry(name, entry)
        return entry

    def _is_copied(self, name: str, entry: str, stored: Stored) -> bool:
        """Whether another device that has a file has that id."""
        holders = self._policies.holders(entry) - {name}
        return bool(holders) and ((known := stored()) is None or not holders.isdisjoint(known))

    @staticmethod
    def _others(
        name: str, known: Mapping[str, str], stored: Collection[str] | None
    ) -> dict[str, str]:
        """Other devices by the ids of their entries."""
        return {
            entry: other
            for other, entry in known.items()
            if other != name and (stored is None or other in stored)
        }

    def serials(self, name: str) -> Sequence[str]:
        """Serial numbers that are known of a device; none where the store cannot be used."""
        with suppress(TscmError):
            return () if self.fault is not None else self.memory(name).serials
        return ()

    def note_serial(self, name: str, who: Identity) -> None:
        """Keep the serial number that a check was told."""
        memory = self.memory(name)
        changed = memory.with_serial(who)
        if changed != memory:
            self._policies.save_memory(name, changed.to_json())

    def with_history(self, job: UpdateJob, stored: Collection[str] | None = None) -> UpdateJob:
        """*job* with what is known from earlier runs; *stored* are the devices that have a file, if known."""
        name = job.settings.name
        entry = self.recognise(job.settings, lambda: stored)
        return evolve(
            self.with_lists(job),
            installation=self._policies.installation(),
            entry=entry,
            others=self._others(name, self._policies.entries(), stored),
            largest=self._policies.largest(name, _day(job.now()) - job.node.policy.shrink_days),
        )

    def with_lists(self, job: UpdateJob) -> UpdateJob:
        """*job* with the lists that are known and in force, as far as a question about them needs it."""
        name = job.settings.name
        return evolve(
            job,
            known=self._policies.lists(name),
            applied=self._policies.generation(name),
            memory=self._policies.memory(name),
            names=self.names(name),
            by_hand=standing(self._policies.by_hand.all(), name, job.now()),
        )

    @property
    def by_hand(self) -> HandEntries:
        """The entries by hand, of all devices."""
        return self._policies.by_hand

    def newest(self, name: str) -> tuple[str, bytes] | None:
        """Note and packed allow list of a device's newest generation."""
        return self._policies.newest(name)

    def sources(self, name: str) -> Sequence[str]:
        """Where a device's last good lists came from."""
        return self._policies.sources(name)

    def names(self, name: str) -> "dict[str, KnownName]":
        """What is known of the names that a device's block list must not reach."""
        return {one["name"]: read(KnownName, one) for one in self._policies.names(name)}

    def keep(
        self, before: DeviceSettings, now: DeviceSettings, outcome: UpdateOutcome
    ) -> UpdateOutcome:
        """
        Put into the store what the run brought; gives the outcome with its generation's number.

        It was made with the settings *before*; what other settings have made untrue meanwhile is forgotten.
        """
        name = outcome.device
        self._keep_names(outcome)
        for one in outcome.good_lists:
            self._policies.save_list(name, one)
        if outcome.generation is not None:
            last = self._policies.generation(name)
            number = self._policies.save_generation(name, outcome.generation)
            outcome = evolve(outcome, generation_number=number)
            self._keep_largest(name, outcome, last)
        if outcome.memory is not None:
            memory = DeviceMemory.from_json(outcome.memory).after_change(before, now)
            present = self.memory(name)  # what may be asked for, or heard, meanwhile
            memory = evolve(
                memory,
                held=present.held,
                paused=present.paused,
                hold=present.hold,
                upheavals=_left(present, outcome),
            )
            self._policies.save_memory(name, memory.to_json())
        self._policies.save_update(
            name, outcome.started_at, outcome.finished_at, outcome.result, outcome.to_json()
        )
        return outcome

    def _keep_largest(self, name: str, outcome: UpdateOutcome, last: Generation | None) -> None:
        """
        Of the day: what is in force now or was so until now; only the former where that was decided.
        """
        assert outcome.generation is not None
        day = _day(outcome.finished_at)
        self._policies.keep_largest(
            name,
            day,
            [
                one.of_lists  # entries by hand that end are no loss
                for one in (None if outcome.rebased else last, outcome.generation)
                if one is not None
            ],
            since=day - _DAYS_MOST,
            anew=outcome.rebased,
        )

    def _keep_names(self, outcome: UpdateOutcome) -> None:
        if outcome.names is not None:
            rows = [as_json(one) for one in outcome.names]
            self._policies.keep_names(outcome.device, rows)

    def keep_purge(self, started_at: float, finished_at: float, done: "PurgeOutcome") -> None:
        """
        What a purge took off is in force no more, and its updates are held.
        """
        name = done.device
        if done.left is not None:
            self._policies.save_generation(name, done.left)
        self.change_memory(name, layout=None, by_hand=(), by_hand_left=())
        outcome = done.outcome(started_at, finished_at)
        self._policies.save_update(name, started_at, finished_at, outcome.result, outcome.to_json())
        self.hold(name, finished_at, "after a purge")

    def keep_failed_purge(self, failed: UpdateOutcome) -> None:
        """A purge that was interrupted: what it had taken off by then the next update finds."""
        self.change_memory(failed.device, layout=None)
        self._policies.save_update(
            failed.device, failed.started_at, failed.finished_at, failed.result, failed.to_json()
        )

    def hold(self, name: str, at: float, why: str) -> None:
        """No scheduled updates until `release`."""
        if not self.memory(name).held:
            self.change_memory(name, held=True)
            self._keep_act(name, Result.HELD, at, why)

    def release(self, name: str, at: float, why: str, **changes: Any) -> None:
        """Scheduled updates again; *changes* of its memory with it."""
        held = self.memory(name).held
        self.change_memory(name, held=False, **changes)
        if held:
            self._keep_act(name, Result.RESUMED, at, why)

    def keep_hold(self, name: str, hold: Hold) -> None:
        """An operator's hold, in the place of one that there is."""
        self.change_memory(name, hold=hold.to_json())
        self._keep_act(name, Result.HELD, hold.since, str(hold).removeprefix("held "))

    def end_hold(self, name: str, at: float, why: str) -> None:
        """An operator's hold is over; nothing where there is none."""
        if self.memory(name).hold:
            self.change_memory(name, hold={})
            self._keep_act(name, Result.RESUMED, at, why)

    def note_pause(self, name: str, at: float, *, paused: bool) -> None:
        """Whether policy updates are disabled in the settings, once that is another than it was."""
        memory = self.memory(name)
        if memory.paused is not paused:
            self.change_memory(name, paused=paused)
            if memory.paused is not None:
                self._keep_act(
                    name, Result.PAUSED if paused else Result.RESUMED, at, "by the settings"
                )

    def _keep_act(self, name: str, result: Result, at: float, why: str) -> None:
        act = UpdateOutcome(device=name, started_at=at, finished_at=at, result=result, act=why)
        self._policies.save_update(name, at, at, result, act.to_json())

    def keep_seen(self, job: UpdateJob, outcome: UpdateOutcome) -> None:
        """
        All that is kept of a plan: names, and each password tried in vain, for it counts towards the lock-out.
        """
        self._keep_names(outcome)
        tried = DeviceMemory.from_json(outcome.memory or {}).login_failures
        if tried != DeviceMemory.from_json(job.memory).login_failures:
            self.change_memory(outcome.device, login_failures=tried)

    def generation(self, name: str, number: int | None = None) -> Generation:
        """One generation with its content, the newest without a *number*."""
        found = self._policies.generation(name, number)
        if found is None:
            raise GenerationUnknown(name, number or 0)
        return found

    def history(self, name: str) -> History:
        """Generations that are kept, and how the latest updates went."""
        return History(
            generations=tuple(self._policies.generations(name)),
            updates=tuple(self._policies.updates(name, limit=100)),
        )

    def _last_update(self, name: str, latest: Sequence[UpdateRecord]) -> UpdateRecord | None:
        """
        The latest update; behind good ones without lists, the one whose lists could not be used.

        A repair, or an entry by hand, says nothing of lists: it must not hide that they were refused.
        """
        if not latest or not (latest[0].good and latest[0].keeps_lists):
            return latest[0] if latest else None
        judged = next((one for one in latest if not one.keeps_lists), None)
        if judged is None:
            found = self._policies.last_fetched(name, without=ACTS)
            judged = None if found is None else _record(found)
        return latest[0] if judged is None or judged.good else judged

    def _last_good(self, name: str, latest: Sequence[UpdateRecord]) -> UpdateRecord | None:
        """The last good update that fetched its lists, also behind many that did not."""
        good = [one for one in latest if one.good]
        for one in good:
            if not one.keeps_lists:
                return one
        fetched = self._policies.last_fetched(name, results=(Result.CHANGED, Result.UNCHANGED))
        return (None if fetched is None else _record(fetched)) or next(iter(good), None)

    def figures(self, name: str, now: float, *, anew: bool = False) -> UpdateFigures:
        """
        What is shown of it; without the store the `fault`, for lines are collected all the same.

        Read only after something of the device was written, or while the store has a fault; with *again* at
        any rate, for who looks whether the database can be read.
        """
        changes = self._policies.changes(name)
        kept = self._shown.get(name)
        healthy = self.fault is None and self._policies.trouble is None
        if anew or kept is None or kept[0] != changes or not healthy:
            hold, found = self._read_figures(name)
            kept = (changes, hold, found)
            if found.fault is None:
                self._shown[name] = kept
        _, hold, found = kept
        if hold is None or hold.over(now):
            return found
        return evolve(found, hold=hold)

    def stamp(self, name: str) -> object:
        """Equal to an earlier one as long as `figures` stay but for an operator's hold that ends."""
        if self.fault is not None or self._policies.trouble is not None:
            return object()  # equal to no other
        return self._policies.changes(name)

    def _read_figures(self, name: str) -> tuple[Hold | None, UpdateFigures]:
        """An operator's hold, and all else, from the database."""
        memory, fault = DeviceMemory(), None
        generations: list[GenerationRow] = []
        names: list[KnownName] = []
        latest: list[UpdateRecord] = []
        last_update: UpdateRecord | None = None
        last_good: UpdateRecord | None = None
        try:
            memory = self.memory(name)
            updates = self._policies.updates(name, limit=LATEST_SHOWN, without=ACTS)
            latest = [one for one in map(_record, updates) if one is not None]
            last_update = self._last_update(name, latest)
            last_good = self._last_good(name, latest)
            generations = self._policies.generations(name)
            kept = [read(KnownName, one) for one in self._policies.names(name)]
            names = [one for one in kept if one.failing_since is not None]
        except TscmError as error:
            fault = str(error)
        return memory.operators_hold, UpdateFigures(
            fault=fault,
            last_update=last_update,
            last_good=last_good,
            held=memory.held,
            locked_out=memory.locked_out,
            stopped_at_failure=memory.broken,
            failed_runs=memory.failures,
            unsaved=memory.unsaved,
            test_entry=memory.test_entry,
            upheavals=said(memory.upheavals),
            upheavals_since=min(memory.upheavals.values(), default=None),
            certificate=memory.driver.get("certificate"),
            generations=len(generations),
            in_force=_in_force(generations[0]) if generations else None,
            unknown_names=tuple(names),
            unused_groups=memory.unused,
            never_used=memory.never_used,
            entries_by_hand=len(memory.by_hand),
        )
