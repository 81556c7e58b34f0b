"""
Commands of the exec modes: they look, save, probe, or steer the session.
"""

from tscm.simulator import cli_files, cli_probes, shuns
from tscm.simulator.contexts import context_named
from tscm.simulator.device import SYSTEM
from tscm.simulator.digits import whole
from tscm.simulator.grammar import Resolved
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.session import Session
from tscm.simulator.show import show
from tscm.simulator.show_values import Look

_MAX_PAGER = 2147483647


def execute(session: Session, line: str, command: Resolved, now: float) -> str:
    """Do it; what it prints.  Raises `Refused`."""
    device = session.device
    words = list(command.words)
    if command.negative:
        return _negative(session, words)
    match words:
        case ["show" | "more", *_]:
            return show(Look(session=session, words=tuple(words), now=now), line)
        case ["configure", "terminal"]:
            session.configure()
        case ["exit" | "quit" | "logout" | "disable" as word]:
            session.leave(word)
        case ["terminal", "pager", *rest]:
            return _pager(session, rest)
        case ["packet-tracer", *rest]:
            return cli_probes.packet_tracer(device, rest)
        case ["ping", *rest]:
            return cli_probes.ping(device, rest)
        case ["write"] | ["write", "memory"]:
            return device.save(now)
        case ["write", "terminal"]:
            return device.running_config()
        case ["write", "standby"]:
            device.resync = True
            return "Building configuration...\n[OK]\n"
        case ["copy", *rest]:
            return cli_files.carry_out(device, cli_files.read_copy(rest), now)
        case ["shun", *rest]:
            return shuns.add(device, rest)
        case ["clear", "shun"]:
            shuns.clear(device)
        case ["clear", "access-list", name, "counters"]:
            for ace in device.configuration.access_lists.get(name, ()):
                device.hits.pop(ace.hash, None)
        case ["clear", "access-list", *_]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        case ["changeto", *rest]:
            _change_context(session, rest)
    return ""


def _change_context(session: Session, words: list[str]) -> None:
    device = session.device
    if not device.spaces:  # there is one context only, and no command to go to another
        raise Refused(Cause.SYNTAX, INVALID, at=0)
    session.leave_submode()
    name = words[-1]
    session.device = device.spaces[SYSTEM] if words == [SYSTEM] else context_named(device, name)


def _pager(session: Session, words: list[str]) -> str:
    lines = whole(words[-1], _MAX_PAGER)
    if lines is None:
        raise Refused(Cause.SYNTAX, INVALID, at=1 + len(words))
    session.pager = lines
    return ""


def _negative(session: Session, words: list[str]) -> str:
    match words:
        case ["terminal", "pager", *_]:
            session.pager = 0
        case ["shun", *rest]:
            shuns.remove(session.device, rest)
        case ["terminal" | "shun"]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
    return ""
