"""
What is known of a device from one update to the next, and what its present state says against it.

Pure.  It is kept as JSON and read back defensively: a damaged memory costs a note, never an update.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import attrs
from attrs import field, frozen

from tscm.model import Cidr, Identity, Json
from tscm.settings.device import DeviceSettings
from tscm.settings.sealed import is_sealed
from tscm.syslog.upheavals import UPHEAVALS
from tscm.update.hold import Hold

MAX_LOGIN_FAILURES = 2
"""Wrong passwords in a row after which no scheduled update logs in any more: accounts get locked."""
CHANGES_KEPT = 16
LISTS_KEPT = 32
GROUPS_KEPT = 2000
SERIALS_KEPT = 16
"""Units of one cluster."""
_CLOCK_DRIFT_SECONDS = 120.0


def _names(value: Iterable[Any]) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str))


def _numbers(value: Iterable[Any]) -> tuple[int, ...]:
    return tuple(one for one in value if isinstance(one, int) and not isinstance(one, bool))


def _times(value: Mapping[Any, Any]) -> dict[str, tuple[float, ...]]:
    return {
        str(name): tuple(one for one in times if isinstance(one, int | float))[-CHANGES_KEPT:]
        for name, times in list(value.items())[-LISTS_KEPT:]
        if isinstance(times, list | tuple)
    }


def _moments(value: Mapping[Any, Any]) -> dict[str, float]:
    return {
        one: float(at)
        for one, at in value.items()
        if one in UPHEAVALS and isinstance(at, int | float)
    }


@frozen(kw_only=True)
class DeviceMemory:
    """
    *driver* is the driver's own (`Driver.learnt`), *layout* a digest of what was left on the device, *failures* the runs that ended in failure since the last good one.
    """

    driver: Mapping[str, Any] = field(factory=dict)
    layout: str | None = None
    version: str | None = None
    started_at: float | None = None
    failures: int = 0
    login_failures: int = 0
    broken: bool = False
    """The last run stopped at the fifth failure: scheduled runs try once, until one is good."""
    paused: bool | None = None
    """Were policy updates disabled in the settings when last looked at?  None: never looked at."""
    held: bool = False
    """Rolled back by hand: scheduled runs wait until they are resumed."""
    undeletable: tuple[str, ...] = field(default=(), converter=_names)
    """Groups of ours that nothing of ours uses and that the device would not delete."""
    changes: Mapping[str, Sequence[float]] = field(factory=dict, converter=_times)
    """For each list, when its content was seen to change, the last `CHANGES_KEPT` times."""
    groups: tuple[str, ...] = field(default=(), converter=_names)
    """Names of our groups as they were last read, at most `GROUPS_KEPT`."""
    unsaved: bool = False
    """The running configuration holds changes of ours that were never saved."""
    upheavals: Mapping[str, float] = field(factory=dict, converter=_moments)
    """What the firewall said of itself that no good update has answered: message, time of receipt."""
    unused: tuple[str, ...] = field(default=(), converter=_names)
    """Parents that had to be made and that no access-list was seen to use since."""
    never_used: bool = False
    """No access-list was ever seen to use all of them: they were made for the first time."""
    group_limit: int | None = None
    """Members that the device was seen to take in a group, where it was seen to refuse more."""
    group_ceiling: int | None = None
    """What it can take at most, for it refused one more; None where `group_limit` is all that is known."""
    serials: tuple[str, ...] = field(default=(), converter=_names)
    """Serial numbers of the device; of a failover pair both, once both were seen."""
    hold: Mapping[str, Any] = field(factory=dict)
    """An operator's `Hold` as JSON; empty where there is none."""
    test_entry: str | None = None
    """What `tsadmin test` put into the block groups; noted before it is pushed, forgotten once it is gone."""
    shape: tuple[str, ...] = field(default=(), converter=_names)
    """Names of the lists that were in force after the last good run; none where they were not recorded."""

    by_hand: tuple[int, ...] = field(default=(), converter=_numbers)
    """Numbers of the entries by hand that the device held after the last good run."""
    by_hand_left: tuple[int, ...] = field(default=(), converter=_numbers)
    """Numbers of those that the guard left out in that run."""

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """What `to_json` gave; what does not fit is forgotten."""
        fitting: dict[str, Any] = {}
        for one in attrs.fields(cls):
            value = kept.get(one.name)
            if isinstance(value, _KINDS[one.name]) and (
                not isinstance(value, bool) or _KINDS[one.name] is bool
            ):
                fitting[one.name] = value
        return cls(**fitting)

    def to_json(self) -> Json:
        """For the store."""
        return attrs.asdict(self)

    @property
    def locked_out(self) -> bool:
        """Would one more wrong password be one too many?"""
        return self.login_failures >= MAX_LOGIN_FAILURES

    @property
    def operators_hold(self) -> Hold | None:
        """What an operator decided; it may be over."""
        return Hold.from_json(self.hold)

    def after_change(self, before: DeviceSettings, after: DeviceSettings) -> Self:
        """
        Without what other settings have made untrue: an operator's change is a decision.
        """
        other_way = before.type != after.type
        moved = before.firewall != after.firewall if other_way else before.place != after.place
        if moved:
            return type(self)(
                held=self.held, paused=self.paused, hold=self.hold, changes=self.changes
            )  # it may be another device
        kept = self
        if other_way:  # a start that is told less exactly is no other start
            known = {"started_at": self.started_at, **self.driver}
            kept = attrs.evolve(kept, driver=known, login_failures=0)
        if before.account != after.account:
            kept = attrs.evolve(kept, login_failures=0)
        if before.trust != after.trust:
            kept = attrs.evolve(kept, driver={**kept.driver, "certificate": None})
        if kept.group_limit is not None and after.group_size > max(
            kept.group_limit, before.group_size
        ):
            kept = attrs.evolve(kept, group_limit=None, group_ceiling=None)  # to be tried again
        if before.own_names != after.own_names:
            kept = attrs.evolve(
                kept,
                layout=None,
                undeletable=(),
                unused=(),
                never_used=False,
                groups=(),
                test_entry=None,
            )
        return kept

    def seen_changed(self, name: str, at: float) -> Self:
        """With one more change of the list *name*."""
        before = tuple(self.changes.get(name, ()))
        others = {one: times for one, times in self.changes.items() if one != name}
        return attrs.evolve(self, changes={**others, name: (*before, at)})

    def with_serial(self, who: Identity) -> Self:
        """With the device's serial number as it was told; a unit of a pair has a mate with another."""
        if who.serial is None or who.serial in self.serials:
            return self
        before = () if who.role is None else self.serials[-SERIALS_KEPT + 1 :]
        return attrs.evolve(self, serials=(*before, who.serial))

    def reload_notes(self, who: Identity) -> list[str]:
        """What the device's version and start say against the last time it was seen."""
        notes = []
        if self.version and who.version and who.version != self.version:
            notes.append(f"its version changed from {self.version} to {who.version}")
        if (
            self.started_at is not None
            and who.started_at is not None
            and who.started_at > self.started_at + _CLOCK_DRIFT_SECONDS
        ):
            notes.append("it has reloaded since the last update, so all of its groups were checked")
        return notes


def no_push(settings: DeviceSettings, memory: DeviceMemory, now: float) -> str:
    """Why nothing may be pushed without a request; empty where it may."""
    if not settings.policy_updates:
        return "policy updates are disabled"
    if is_sealed(settings):
        return "a secret of its settings cannot be decrypted"
    hold = memory.operators_hold
    if hold is not None and not hold.over(now):
        return f"updates are {hold}"
    if memory.held:
        return "updates are held after a rollback or a purge"
    if memory.locked_out:
        return "the password was rejected too often"
    return ""


_KINDS: dict[str, type | tuple[type, ...]] = {
    "driver": dict,
    "layout": str,
    "version": str,
    "started_at": (int, float),
    "failures": int,
    "login_failures": int,
    "broken": bool,
    "undeletable": (list, tuple),
    "changes": dict,
    "upheavals": dict,
    "paused": bool,
    "held": bool,
    "unsaved": bool,
    "groups": (list, tuple),
    "unused": (list, tuple),
    "never_used": bool,
    "group_limit": int,
    "group_ceiling": int,
    "serials": (list, tuple),
    "shape": (list, tuple),
    "test_entry": str,
    "by_hand": (list, tuple),
    "by_hand_left": (list, tuple),
    "hold": dict,
}


def edit_notes(
    kind: str, applied: Iterable[Cidr], present: Iterable[Cidr], *, right: bool
) -> list[str]:
    """
    What others did to a list since it was last applied.

    A manager that was killed in the middle of a push leaves the same picture; what was pushed whole
    may be *right* by now.
    """
    from tscm.policy.documentation import PLACEHOLDER

    before = set(applied)
    now = set(present) - ({PLACEHOLDER} - before)
    more, fewer = len(now - before), len(before - now)
    if not more and not fewer:
        return []
    end = "this matches the present lists" if right else "this is corrected"
    return [
        f"the {kind} groups have changed since the last completed update, by another user "
        f"or an interrupted update: entries added {more:,}, removed {fewer:,}; {end}"
    ]
