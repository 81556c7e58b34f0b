"""
What is read of an ASA by `show` commands, whichever way they get there.

Each function takes how to *ask*: a command, and who takes the lines of its output as they come.
"""

import re
from collections.abc import Callable

from attrs import evolve

from tscm.kinds.asa import platforms
from tscm.kinds.asa.cli.group_reader import GroupReader, TooManyMembers
from tscm.kinds.asa.cli.refusals import on_standby
from tscm.kinds.asa.cli.uptime import started_within
from tscm.kinds.asa.cli.verdicts import Verdict, as_words, judge
from tscm.kinds.asa.condense import condense
from tscm.kinds.asa.driver import Configuration, Group
from tscm.kinds.faults import Forbidden, Overloaded, SaveFailed
from tscm.model import Identity

Ask = Callable[[str, Callable[[str], None]], None]

GROUPS = "show running-config object-group"
CONFIGURATION = "show running-config"
_MOST_CONFIGURATION = 16 << 20
_BYTES_A_LINE = 64
"""What a line takes in memory beyond its text."""
_MEMBER = " network-object "
_DELETE_UNUSED = f"look at `{GROUPS}` on it, and delete what nothing uses"
_NO_GROUPS = re.compile(r"ERROR:|% ?Invalid|authorization failed", re.IGNORECASE)


def identity_in(device: str, version: str, now: float, started_at: float | None) -> Identity:
    """
    Who answers, from `show version`; *started_at* is what was made of its uptime before.
    """
    started = started_within(version, now, started_at)
    found = platforms.read_show_version(Identity(started_at=started), version)
    if found.version is None:
        raise Overloaded(
            device,
            f"`show version` told none: {as_words(version)}",
            "it may be no ASA, or the account may not use the command",
        )
    # What the REST agent bears is no bound here, and no other is known.
    return evolve(found, agent=None, budget_bytes=None, entries=None)


def active_unit(device: str, identity: Identity, failover: str) -> Identity:
    """The same with what `show failover` tells.  Raises `UnitOnStandby`."""
    identity = evolve(
        identity,
        role=platforms.failover_role(failover),
        replicating=platforms.replicating(failover),
    )
    if identity.role == "standby":
        raise on_standby(device)
    return identity


def read_groups(device: str, prefix: str, ask: Ask) -> dict[str, Group]:
    """
    All groups of that prefix, from one command.

    That there are none at all is believed when it is said twice.
    """
    for _ in range(2):
        reader = GroupReader(prefix)
        try:
            ask(GROUPS, reader.take)
        except TooManyMembers as error:
            raise Overloaded(device, str(error), _DELETE_UNUSED) from None
        reader.end()
        bad = next((line for line in reader.complaints if _NO_GROUPS.search(line)), None)
        if bad is not None and judge(bad) is Verdict.FORBIDDEN:
            raise Forbidden(
                device,
                f"the account may not use `{GROUPS}`",
                "give it privilege 15, or allow the command where a server decides on commands",
            )
        if bad is not None:
            raise Overloaded(
                device,
                f"`{GROUPS}` was answered with {as_words(bad)}",
                "the account needs privilege 15; in multiple context mode its settings name the context",
            )
        if reader.groups or reader.others:
            break
    return reader.groups


def read_configuration(device: str, prefix: str, ask: Ask) -> Configuration:
    """`show running-config`, condensed; members of groups are passed over as they come."""
    kept: list[str] = []
    size = room = 0

    def take(line: str) -> None:
        nonlocal size, room
        size += len(line) + 1
        if line.startswith(_MEMBER):
            return
        room += len(line) + _BYTES_A_LINE
        if room > _MOST_CONFIGURATION:
            raise Overloaded(
                device,
                f"its configuration without members of groups takes more than {_MOST_CONFIGURATION:,} bytes",
            )
        kept.append(line)

    ask(CONFIGURATION, take)
    return Configuration(size=size, text=condense("\n".join(kept), prefix))


def confirm_saved(device: str, said: str) -> None:
    """Raise `SaveFailed` unless `write memory` printed `[OK]`."""
    if "[OK]" in said:
        return
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    raise SaveFailed(
        device,
        "it did not confirm that its configuration was saved"
        + (f": {as_words(last)}" if last else ""),
        "the policy is in force; enter `write memory` on the device to see why saving fails",
    )
