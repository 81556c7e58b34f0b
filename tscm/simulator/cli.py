"""
The command line: one session's lines in, the ASA's text out.

The REST agent's `/api/cli`, the start configuration and the control port all type here.
Errors are text, with or without `ERROR:` in front (docs/asa.md, section 5); a line that works
gives the empty string.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from attrs import define, evolve, field

from tscm.simulator import cli_logging, cli_probes, members
from tscm.simulator.access_list import read_ace, read_binding
from tscm.simulator.accounts import Account, hash_password
from tscm.simulator.cli_words import (
    OTHER_GROUPS,
    SINGLE,
    STANDBY_WARNING,
    STORED,
    SUBMODE_WORDS,
    SYNC_NOTICE,
    column_of,
    marker,
)
from tscm.simulator.configuration import FORWARD_REFERENCE
from tscm.simulator.device import Device
from tscm.simulator.groups import NetworkObject, object_body
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.show import show
from tscm.simulator.syslog_form import Message

_SUBMODES = {
    "network-group": "-network-object-group",
    "network-object": "-network-object",
    "other-group": "-service-object-group",
    "stored": "-if",
}


@define(eq=False)
class Console:
    """
    A session in configuration mode; `_target` is what the sub-mode lines belong to.
    """

    device: Device
    user: str = "enable_15"
    peer: str = "0.0.0.0"  # noqa: S104 - what the ASA prints of its own console
    _mode: str = field(default="", init=False)
    _target: str = field(default="", init=False)

    @property
    def submode(self) -> str:
        """As the prompt shows it after `config`; empty outside of one."""
        return _SUBMODES.get(self._mode, "-other") if self._mode else ""

    def leave_submode(self) -> None:
        """Go back to the plain configuration mode."""
        self._mode = self._target = ""

    def run(self, line: str, now: float) -> str:
        """One line; what it prints."""
        words = line.split()
        if not words or words[0][0] in "!:":
            return ""
        before = self.device.configuration.generation
        try:
            printed = self._submode(line, words) if self._mode else None
            if printed is None:
                printed = self._command(line, words, now)
            if self.device.configuration.generation != before:
                printed = self._changed(now) + printed
            if self.device.switches.audit_lines:
                self._audit(line)
            return printed
        except Refused as refusal:
            if refusal.cause is Cause.SYNTAX and refusal.text == INVALID:
                return marker(line, column_of(line, refusal.at))
            return refusal.text + "\n"

    def _changed(self, now: float) -> str:
        """What a failover pair has to say of a change."""
        if self.device.role == "standby":
            self.device.diverged = True
            return STANDBY_WARNING
        return SYNC_NOTICE if now < self.device.sync_until else ""

    def _audit(self, line: str) -> None:
        """111008 for each command, 111010 beside it where it is no mere look."""
        command = line.strip()
        text = f"User '{self.user}' executed the '{command}' command."
        self.device.outbox.append(Message("111008", 5, text))
        if command.split()[0] not in ("show", "sh", "more", "exit", "end", "packet-tracer"):
            text = f"User '{self.user}', running 'CLI' from IP {self.peer}, executed '{command}'"
            self.device.outbox.append(Message("111010", 5, text))

    # -- sub-modes -----------------------------------------------------------

    def _submode(self, line: str, words: list[str]) -> str | None:
        """What the sub-mode makes of the line; None when it is not one of its lines."""
        if words[0] in ("exit", "quit"):
            self.leave_submode()
            return ""
        negative = words[0] == "no"
        bare = words[1:] if negative else words
        if not bare:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        if self._mode == "network-group":
            return self._group_line(bare, negative=negative)
        if self._mode == "network-object":
            return self._object_line(bare, negative=negative)
        return self._stored_line(line.strip(), bare, negative=negative)

    def _group_line(self, words: list[str], *, negative: bool) -> str | None:
        configuration = self.device.configuration
        if words[0] in ("network-object", "group-object"):
            member = members.from_words(words)
            change = configuration.remove_member if negative else configuration.add_member
            change(self._target, member)
            return ""
        if words[0] == "description":
            configuration.describe(self._target, "" if negative else " ".join(words[1:]))
            return ""
        self.leave_submode()
        return None

    def _object_line(self, words: list[str], *, negative: bool) -> str | None:
        held = self.device.configuration.objects[self._target]
        if words[0] == "description":
            text = "" if negative else " ".join(words[1:])
            self.device.configuration.put_object(evolve(held, description=text))
            return ""
        if words[0] in ("host", "subnet", "range", "fqdn"):
            body = "" if negative else object_body(words)
            self.device.configuration.put_object(evolve(held, body=body))
            return ""
        self.leave_submode()
        return None

    def _stored_line(self, line: str, words: list[str], *, negative: bool) -> str | None:
        if words[0] not in SUBMODE_WORDS:
            self.leave_submode()
            return None
        if self._mode == "other-group":
            kept = self.device.configuration.other_groups[self._target][1]
        else:
            kept = self.device.configuration.plain[self._target]
        bare = " " + " ".join(words)
        if negative and bare in kept:
            kept.remove(bare)
        elif " " + line not in kept:
            kept.append(" " + line)
        self.device.configuration.changed()
        return ""

    # -- commands ------------------------------------------------------------

    def _command(self, line: str, words: list[str], now: float) -> str:
        first = words[0]
        if first == "packet-tracer":
            return cli_probes.packet_tracer(self.device, words[1:])
        if first == "ping":
            return cli_probes.ping(self.device, words[1:])
        if first in ("show", "sh", "more"):
            return show(self.device, line, words, now)
        if first in ("write", "wr", "copy"):
            return self._save(words, now)
        if words[:2] == ["terminal", "width"] and words[2:3] and words[2].isdigit():
            self._store(" ".join(words))
            return ""
        if first in ("configure", "conf", "enable", "terminal", "end", "exit", "do", "changeto"):
            self.leave_submode()
            return ""
        self.leave_submode()
        if first == "no":
            return self._negative(words[1:])
        if first == "clear":
            return self._clear(words)
        return self._positive(line.strip(), words, now)

    def _save(self, words: list[str], now: float) -> str:
        match words:
            case ["write" | "wr"] | ["write" | "wr", "memory" | "mem"]:
                return self.device.save(now)
            case ["copy", *rest] if rest[-2:] in (
                ["running-config", "startup-config"],
                ["run", "start"],
            ):
                return self.device.save(now)
            case ["copy", "running-config", target] if target.startswith(("flash:", "disk0:")):
                size = len(self.device.running_config())
                return f"{size} bytes copied in 0.100 secs\n"
            case ["write" | "wr", "standby"]:
                self.device.resync = True
                return "Building configuration...\n[OK]\n"
        raise Refused(Cause.SYNTAX, INVALID)

    def _positive(self, line: str, words: list[str], now: float) -> str:
        known: dict[str, Callable[[Sequence[str]], None]] = {
            "object-group": self._enter_group,
            "object": self._enter_object,
            "access-list": self._access_list,
            "access-group": self._access_group,
            "hostname": self._hostname,
            "username": self._username,
        }
        handler = known.get(words[0])
        if handler is not None:
            handler(words[1:])
        elif words[0] in ("interface", "class-map", "policy-map", "object-group-search"):
            self.device.configuration.plain.setdefault(line, [])
            self.device.configuration.changed()
            if words[0] != "object-group-search":
                self._mode, self._target = "stored", line
        elif words[:2] == ["rest-api", "agent"]:
            if self.device.profile.agent_version is None:
                raise Refused(Cause.SYNTAX, INVALID)
            self._store(line)
            self.device.outbox += self.device.health.start(now)
        elif words[0] == "logging":
            cli_logging.take(self.device, words[1:])
        elif words[0] in STORED:
            self._store(line)
        else:
            raise Refused(Cause.SYNTAX, INVALID)
        return ""

    def _store(self, line: str) -> None:
        plain = self.device.configuration.plain
        single = next((one for one in SINGLE if line.startswith(one)), None)
        text = " ".join(line.split())
        for held in list(plain):
            if held == f"no {text}" or (single and held.startswith(single)):
                del plain[held]
        plain[text] = []
        self.device.configuration.changed(acl=text == FORWARD_REFERENCE)

    def _enter_group(self, words: Sequence[str]) -> None:
        if len(words) < 2:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        kind, name = words[0], words[1]
        configuration = self.device.configuration
        if kind == "network":
            if name not in configuration.groups:
                configuration.create_group(name)
            self._mode, self._target = "network-group", name
            return
        if kind not in OTHER_GROUPS:
            raise Refused(Cause.SYNTAX, INVALID)
        if name not in configuration.other_groups:
            configuration.check_free(name)
            configuration.other_groups[name] = (kind, [])
            configuration.changed()
        self._mode, self._target = "other-group", name

    def _enter_object(self, words: Sequence[str]) -> None:
        if len(words) < 2:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        if words[0] != "network":
            raise Refused(Cause.SYNTAX, INVALID)
        name = words[1]
        if name not in self.device.configuration.objects:
            self.device.configuration.put_object(NetworkObject(name))
        self._mode, self._target = "network-object", name

    def _access_list(self, words: Sequence[str]) -> None:
        if words and words[0] in ("deny-flow-max", "alert-interval"):
            if len(words) != 2 or not words[1].isdigit():
                raise Refused(Cause.SYNTAX, INVALID)
            self._store("access-list " + " ".join(words))
            return
        line, ace = read_ace(words)
        self.device.configuration.add_ace(ace, line)

    def _access_group(self, words: Sequence[str]) -> None:
        name, binding = read_binding(words)
        self.device.configuration.bind(name, binding)

    def _hostname(self, words: Sequence[str]) -> None:
        if len(words) != 1 or not 0 < len(words[0]) <= 63:
            raise Refused(Cause.SYNTAX, INVALID if words else INCOMPLETE)
        self.device.configuration.hostname = words[0]
        self.device.configuration.changed()

    def _username(self, words: Sequence[str]) -> None:
        match list(words):
            case [name, "password", secret, *rest]:
                given = dict(pairwise(rest))
                level = given.get("privilege", given.get("priv", "2"))
                if not level.isdigit() or int(level) > 15:
                    raise Refused(Cause.SYNTAX, INVALID)
                stored = secret if "pbkdf2" in rest else hash_password(secret)
                self.device.put_account(
                    Account(name=name, password_hash=stored, privilege=int(level))
                )
            case [_, "attributes"]:
                self._store("username " + " ".join(words))
            case _:
                raise Refused(Cause.SYNTAX, INCOMPLETE)

    # -- taking away ---------------------------------------------------------

    def _negative(self, words: list[str]) -> str:
        configuration = self.device.configuration
        match words:
            case ["object-group", "network", name]:
                if configuration.type_of(name) not in ("network", None):
                    configuration.check_free(name)
                configuration.remove_group(name)
            case ["object-group", kind, name] if kind in OTHER_GROUPS:
                if configuration.other_groups.pop(name, None) is None:
                    text = f"Removing object-group ({name}) failed; it does not exist"
                    raise Refused(Cause.ABSENT, text)
                configuration.changed()
            case ["object", "network", name]:
                configuration.remove_object(name)
            case ["access-list", "deny-flow-max" | "alert-interval", *_]:
                self._forget(" ".join(words))
            case ["access-list", *rest]:
                configuration.remove_ace(read_ace(rest)[1])
            case ["access-group", *rest]:
                configuration.unbind(*read_binding(rest))
            case ["username", name]:
                self.device.accounts.users.pop(name, None)
                configuration.changed()
            case ["object-group" | "object" | "access-list" | "username"]:
                raise Refused(Cause.SYNTAX, INCOMPLETE)
            case ["logging", *rest]:
                cli_logging.take_away(self.device, rest)
            case [first, *_] if first in STORED or first == "interface":
                if words == ["rest-api", "agent"]:
                    self.device.health.stop()
                self._forget(" ".join(words))
            case []:
                raise Refused(Cause.SYNTAX, INCOMPLETE)
            case _:
                raise Refused(Cause.SYNTAX, INVALID)
        return ""

    def _forget(self, text: str) -> None:
        plain = self.device.configuration.plain
        single = next((one for one in SINGLE if text.startswith(one)), None)
        for held in list(plain):
            if held == text or (single and held.startswith(single)) or held.startswith(text + " "):
                del plain[held]
        if text.startswith("failover"):
            plain[f"no {text}"] = []
        self.device.configuration.changed(acl=text == FORWARD_REFERENCE)

    def _clear(self, words: list[str]) -> str:
        configuration = self.device.configuration
        match words:
            case ["clear", "configure", "access-list", name]:
                configuration.clear_access_list(name)
            case ["clear", "configure", "object-group"]:
                for name in list(configuration.groups):
                    if configuration.forward_reference or not configuration.lists_using(name):
                        del configuration.groups[name]
                configuration.changed(acl=True)
            case ["clear", "logging" | "access-list" | "counters" | "local-host" | "conn", *_]:
                pass
            case _:
                raise Refused(Cause.SYNTAX, INVALID)
        return ""
