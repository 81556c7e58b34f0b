"""
What a device's platform bears, read from what it says of itself (docs/develop/asa.md, section 4).

The agent holds the whole configuration in memory.  Cisco's release notes give 450 KB for
ASAv5, 500 KB for ASAv10 and about 2 MB for 5555 and 5585; between them nothing is published, so
we stay well below what lies between (ASAv with 8 GB: 1 MB; smaller 5500-X: 500 KB).
"""

import re

from attrs import evolve

from tscm.model import Identity

_KB = 1000
_WRITE_SECONDS = 0.9
_WRITE_FULL_SECONDS = 23.0
_BYTES_AN_ENTRY = 48  # ` network-object 203.0.113.128 255.255.255.128` and its line end, rounded up
_OTHER_CONFIGURATION = 60 * _KB  # what a small firewall's own configuration takes
_SMALLEST = 450 * _KB
_SMALL = 500 * _KB
_MIDDLE = 1000 * _KB
_LARGE = 2000 * _KB
_LARGE_MODELS = re.compile(r"ASA-?(5555|5585)|FPR-?[49]|FPR9K|FPR4K|ASA-SM|SSP")
_HARDWARE = re.compile(r"^Hardware:\s*([^,\s]+)(?:,\s*([0-9]{1,9}) MB RAM)?", re.MULTILINE)
_SERIAL = re.compile(r"^Serial Number:\s*(\S+)", re.MULTILINE)
_VERSION = re.compile(r"Software Version (\S+)")
_AGENT = re.compile(r"REST API Agent Version (\S+)")
_FAILOVER_OFF = re.compile(r"^Failover Off", re.MULTILINE)
_STATE = re.compile(r"[A-Za-z ]+")
_TAKES_CONFIGURATION = ("sync config", "sync file system", "bulk sync")
_AGENT_NAMED = re.compile(r"REST-?API", re.IGNORECASE)
_RUNS = re.compile(r"\b(enabled|running|up)\b", re.IGNORECASE)


def budget_bytes(model: str, memory_mb: int | None) -> int | None:
    """
    Running-config size that the agent on this platform bears; None when we cannot tell.
    """
    if _LARGE_MODELS.search(model):
        return _LARGE
    if model.startswith("ASAv"):
        if memory_mb is None or memory_mb < 2000:
            return _SMALLEST
        return _MIDDLE if memory_mb >= 8000 else _SMALL
    if model.startswith(("ASA55", "ASA-55", "ISA")):
        return _SMALL
    return None


def entries_within(budget: int) -> int:
    """A sensible Max policy size for that budget, in whole thousands."""
    return (budget - _OTHER_CONFIGURATION) // _BYTES_AN_ENTRY // 1000 * 1000


def push_seconds(writes: int, before: int, after: int, budget: int | None) -> float:
    """
    How long so many *writes* take, by what was recorded on a small ASAv (docs/develop/asa.md, section 4).

    Those that go in one bulk request count each: the agent carries them out one after the other.

    A write takes 0.9 s on an empty configuration and 23 s on one that the agent just bears; between them it
    grows with the configuration's share of the budget, here the mean of *before* and *after*, in bytes.
    """
    share = 0.0 if budget is None else min(1.0, (before + after) / 2 / budget)
    return writes * (_WRITE_SECONDS + (_WRITE_FULL_SECONDS - _WRITE_SECONDS) * share)


def with_platform(identity: Identity, model: str, memory_mb: int | None) -> Identity:
    """*identity* with model, budget and Max policy size."""
    budget = budget_bytes(model, memory_mb)
    return evolve(
        identity,
        model=model,
        budget_bytes=budget,
        entries=None if budget is None else entries_within(budget),
    )


def read_show_version(identity: Identity, text: str) -> Identity:
    """*identity* and what `show version` adds to it."""
    if found := _VERSION.search(text):
        identity = evolve(identity, version=identity.version or found[1])
    if found := _SERIAL.search(text):
        identity = evolve(identity, serial=found[1])
    if found := _AGENT.search(text):
        identity = evolve(identity, agent=found[1].rstrip(","))
    if found := _HARDWARE.search(text):
        identity = with_platform(identity, found[1], int(found[2]) if found[2] else None)
    return identity


def failover_role(text: str) -> str | None:
    """
    `active` or `standby` out of `show failover`; None where there is no failover.

    Any state of this host but Active (Failed, Sync Config, Bulk Sync, …) counts as standby: nothing
    may be written to it.
    """
    if _FAILOVER_OFF.search(text):
        return None
    state = _state_of("This host:", text)
    if state is None or not _STATE.fullmatch(state):
        return None
    return "active" if state.lower() == "active" else "standby"


def replicating(text: str) -> bool:
    """Does `show failover` of the active unit say that its mate is taking the configuration?"""
    state = _state_of("Other host:", text)
    return state is not None and state.lower().startswith(_TAKES_CONFIGURATION)


def agent_state(text: str) -> bool:
    """Does `show rest-api agent` say that the agent runs?"""
    for line in text.splitlines():
        named = _AGENT_NAMED.search(line)
        if named is not None and _RUNS.search(line, named.end()):
            return True
    return False


def _state_of(unit: str, text: str) -> str | None:
    """
    What follows the dash in the first line with *unit* and one, such as `This host: Primary - Active`.

    By words and not by a pattern: what holds the interpreter for the square or the cube of a text's length
    stops everything, and the text is whatever answers at the device's address.
    """
    for line in text.splitlines():
        _, found, rest = line.partition(unit)
        name, dash, state = rest.partition(" - ")
        if found and dash and len(name.split(maxsplit=1)) == 1:
            return state.strip()
    return None
