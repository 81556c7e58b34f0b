"""
Configuration lines: what each does to the device, in plain configuration mode and in a sub-mode.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from re import compile as pattern

from attrs import evolve

from tscm.simulator import cli_logging, members
from tscm.simulator.access_list import read_ace, read_binding
from tscm.simulator.accounts import NO_PASSWORD, Account, hash_password
from tscm.simulator.cli_negate import negate
from tscm.simulator.cli_store import keep, keep_below, store
from tscm.simulator.cli_words import ENTERS
from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.grammar import Resolved
from tscm.simulator.groups import NetworkObject, object_body
from tscm.simulator.interfaces import canonical_name
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.session import Session

_HOSTNAME = pattern(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PROMPTS = {
    "interface": "-if",
    "class-map": "-cmap",
    "policy-map": "-pmap",
    "username": "-username",
}


def prompt_of(session: Session) -> str:
    """What the prompt shows of a sub-mode."""
    match session.mode:
        case "":
            return ""
        case "network-group":
            return "-network-object-group"
        case "network-object" | "time-range":
            return f"-{session.mode}"
        case "other-group":
            kind = session.device.configuration.other_groups[session.target][0]
            return f"-{kind}-object-group"
    return _PROMPTS.get(session.target.split(maxsplit=1)[0], "-other")


# -- sub-modes -----------------------------------------------------------------


def in_submode(session: Session, command: Resolved) -> str:
    """A line of the sub-mode that the session is in; raises `Refused`."""
    words = command.words
    if words[0] in ("exit", "quit", "help"):
        if words[0] != "help":
            session.leave_submode()
        return ""
    if session.mode == "network-group":
        _group_line(session, words, negative=command.negative)
    elif session.mode == "network-object":
        _object_line(session, words, negative=command.negative)
    else:
        keep_below(session.device, session.mode, session.target, words, negative=command.negative)
    return ""


def _group_line(session: Session, words: Sequence[str], *, negative: bool) -> None:
    configuration = session.device.configuration
    if words[0] == "description":
        configuration.describe(session.target, "" if negative else " ".join(words[1:]))
        return
    member = members.from_words(words)
    change = configuration.remove_member if negative else configuration.add_member
    change(session.target, member)


def _object_line(session: Session, words: Sequence[str], *, negative: bool) -> None:
    configuration = session.device.configuration
    held = configuration.objects[session.target]
    if words[0] == "description":
        text = "" if negative else " ".join(words[1:])
        configuration.put_object(evolve(held, description=text))
    elif words[0] != "nat":
        body = "" if negative else object_body(words)
        configuration.put_object(evolve(held, body=body))


# -- plain configuration mode --------------------------------------------------


def configure(session: Session, command: Resolved, now: float) -> str:
    """A line of the configuration mode; raises `Refused`."""
    words = list(command.words)
    if command.negative:
        negate(session.device, words)
        return ""
    match words:
        case ["exit" | "quit" | "end" as word]:
            session.leave(word)
        case ["help" | "configure", *_]:
            pass
        case ["clear", *rest]:
            _clear(session.device, rest)
        case ["rest-api", "agent"]:
            if session.device.profile.agent_version is None:
                raise Refused(Cause.SYNTAX, INVALID, at=0)
            store(session.device, words)
            session.device.outbox += session.device.health.start(now)
        case [first, *rest]:
            handler = _HANDLERS.get(first)
            if handler is None:
                store(session.device, words)
            else:
                handler(session, rest)
    return ""


def _clear(device: Device, words: Sequence[str]) -> None:
    configuration = device.configuration
    match words:
        case ["configure", "access-list", name]:
            configuration.clear_access_list(name)
        case ["configure", "object-group"]:
            for name in list(configuration.groups):
                if configuration.forward_reference or not configuration.lists_using(name):
                    del configuration.groups[name]
            configuration.changed(acl=True)
        case ["configure", "logging"]:
            for line in [one for one in configuration.plain if "logging " in one]:
                del configuration.plain[line]
            configuration.changed()
        case ["configure"]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        case _:
            raise Refused(Cause.SYNTAX, INVALID, at=2)


def _enter_group(session: Session, words: Sequence[str]) -> None:
    kind, name = words[0], words[1]
    configuration = session.device.configuration
    if kind == "network":
        if len(words) > 2:
            raise Refused(Cause.SYNTAX, INVALID, at=3)
        if name not in configuration.groups:
            configuration.create_group(name)
        session.enter("network-group", name)
        return
    if name not in configuration.other_groups:
        configuration.check_free(name)
        configuration.other_groups[name] = (kind, [])
        configuration.changed()
    session.enter("other-group", name)


def _enter_object(session: Session, words: Sequence[str]) -> None:
    name = words[1]
    if name not in session.device.configuration.objects:
        session.device.configuration.put_object(NetworkObject(name))
    session.enter("network-object", name)


def _enter_interface(session: Session, words: Sequence[str]) -> None:
    line = f"interface {canonical_name(words)}"
    keep(session.device, line)
    session.enter("interface", line)


def _enter_stored(first: str) -> Callable[[Session, Sequence[str]], None]:
    def enter(session: Session, words: Sequence[str]) -> None:
        if not words:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        line = " ".join([first, *words])
        keep(session.device, line)
        session.enter("time-range" if first == "time-range" else "stored", line)

    return enter


def _access_list(session: Session, words: Sequence[str]) -> None:
    if words[0] in ("deny-flow-max", "alert-interval"):
        if len(words) != 2 or whole(words[1], 1 << 31) is None:
            raise Refused(Cause.SYNTAX, INVALID, at=2)
        store(session.device, ["access-list", *words])
        return
    line, ace = read_ace(words)
    session.device.configuration.add_ace(ace, line)


def _access_group(session: Session, words: Sequence[str]) -> None:
    name, binding = read_binding(words)
    session.device.configuration.bind(name, binding)


def _hostname(session: Session, words: Sequence[str]) -> None:
    if not _HOSTNAME.fullmatch(words[0]):
        raise Refused(Cause.SYNTAX, INVALID)
    session.device.configuration.hostname = words[0]
    session.device.configuration.changed()


_BEHIND_PASSWORD = ("encrypted", "mschap", "nt-encrypted", "pbkdf2", "priv", "privilege")


def _username(session: Session, words: Sequence[str]) -> None:
    match list(words):
        case [name, "password", secret, *rest]:
            if (
                rest and rest[0] not in _BEHIND_PASSWORD
            ):  # IOS writes a type in front: `password 0 SECRET`
                raise Refused(Cause.SYNTAX, INVALID, at=4)
            given = dict(pairwise(rest))
            level = whole(given.get("privilege", given.get("priv", "2")), 15)
            if level is None:
                raise Refused(Cause.SYNTAX, INVALID, at=5)
            stored = secret if "pbkdf2" in rest else hash_password(secret)
            session.device.put_account(Account(name=name, password_hash=stored, privilege=level))
        case [name, "attributes"]:
            if name not in session.device.accounts.users:
                raise Refused(Cause.ABSENT, f"ERROR: username {name} does not exist")
            line = f"username {name} attributes"
            keep(session.device, line)
            session.enter("user-attributes", line)
        case [name, "nopassword", *rest]:
            given = dict(pairwise(rest))
            level = whole(given.get("privilege", given.get("priv", "2")), 15)
            if level is None:
                raise Refused(Cause.SYNTAX, INVALID, at=4)
            session.device.put_account(
                Account(name=name, password_hash=NO_PASSWORD, privilege=level)
            )
        case [_] | [_, "privilege", _] | [_, "password"]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        case _:
            raise Refused(Cause.SYNTAX, INVALID, at=2)


def _logging(session: Session, words: Sequence[str]) -> None:
    cli_logging.take(session.device, words)


_HANDLERS: dict[str, Callable[[Session, Sequence[str]], None]] = {
    "access-group": _access_group,
    "access-list": _access_list,
    "hostname": _hostname,
    "interface": _enter_interface,
    "logging": _logging,
    "object": _enter_object,
    "object-group": _enter_group,
    "username": _username,
    **{first: _enter_stored(first) for first in ENTERS},
}
