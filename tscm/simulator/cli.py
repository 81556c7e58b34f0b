"""
The command line: one session's lines in, the ASA's text out.

The terminal, the REST agent's `/api/cli`, the HTTP interface, the start configuration and the control
port all type here.  Errors are text, with or without `ERROR:` in front (docs/develop/asa.md, section 5); a line
that works gives the empty string.
"""

from attrs import define

from tscm.simulator import cli_configure, cli_exec
from tscm.simulator.cli_words import STANDBY_WARNING, SYNC_NOTICE, column_of, marker
from tscm.simulator.commands import EXEC, EXEC_NO, SUBMODES, USER, mode_of
from tscm.simulator.contexts import known_in
from tscm.simulator.device import Device
from tscm.simulator.grammar import Resolved, resolve
from tscm.simulator.refusal import AMBIGUOUS, INVALID, Cause, Refused
from tscm.simulator.session import NOBODY, Session
from tscm.simulator.syslog_form import Message

MAX_LINE = 1024
"""Characters of a line; what is longer is refused whole."""
_TOO_LONG = f"ERROR: % Command line is longer than {MAX_LINE} characters"
_FORBIDDEN = "ERROR: Command authorization failed"
_AUTHORIZED = "aaa authorization command "
_FULL = 15
_FOR_ALL = frozenset(["show", "enable", "exit", "quit", "logout", "disable", "help", "ping"])
"""What a privilege below `_FULL` may do where commands are authorized."""
_EXEC_ROOTS = (EXEC, EXEC_NO, USER)
_PIPED = frozenset(["sh", "mo"])
"""How the commands begin whose output can be filtered: `show` and `more`."""
_LOOKS = frozenset(["show", "more", "exit", "quit", "end", "packet-tracer", "ping"])
"""Commands that change nothing, so that 111010 does not tell them."""


@define(eq=False)
class Console:
    """
    One session's command line; at level `config` it takes every line that the firewall knows.
    """

    session: Session
    caret_at: int | None = None
    """Columns that the prompt took, on a terminal that has shown the line already."""

    @classmethod
    def of(cls, device: Device, user: str = "enable_15", peer: str = NOBODY) -> "Console":
        """The command line of who types lines without a terminal."""
        return cls(Session(device, user, peer))

    @property
    def device(self) -> Device:
        """The firewall that is typed on."""
        return self.session.device

    @property
    def submode(self) -> str:
        """As the prompt shows it after `config`; empty outside of one."""
        return cli_configure.prompt_of(self.session)

    def leave_submode(self) -> None:
        """Go back to the plain configuration mode."""
        self.session.leave_submode()

    # -- one line ------------------------------------------------------------

    def run(self, line: str, now: float) -> str:
        """One line; what it prints."""
        return self.judged(line, now)[0]

    def judged(self, line: str, now: float) -> tuple[str, bool]:
        """The same, and whether the line was refused."""
        line = _printable(line)
        words = line.split()
        if not words or words[0][0] in "!:":
            return "", False
        try:
            return self.perform(line, self.resolve(line), now), False
        except Refused as refusal:
            return self.told(line, refusal), True

    def resolve(self, line: str) -> Resolved:
        """The line with its keywords in full; raises `Refused`."""
        if len(line) > MAX_LINE:
            raise Refused(Cause.SYNTAX, _TOO_LONG)
        words = line.split()
        if words[0][:2] in _PIPED:
            words = line.partition("|")[0].split() or words
        level = self.session.level
        if not known_in(self.device, words):
            raise Refused(Cause.SYNTAX, INVALID, at=0)
        found = resolve(words, mode_of(level, self.session.mode if level == "config" else ""))
        if self.session.interactive and not self._allowed(found):
            raise Refused(Cause.SYNTAX, _FORBIDDEN)
        return found

    def _allowed(self, command: Resolved) -> bool:
        """May the user do this?  Asked only where the firewall authorizes each command."""
        account = self.device.accounts.users.get(self.session.user)
        if account is None or account.privilege >= _FULL:
            return True
        held = self.device.configuration.plain
        if not any(line.startswith(_AUTHORIZED) for line in held):
            return True
        return command.words[0] in _FOR_ALL and command.words[1:2] != ("running-config",)

    def perform(self, line: str, command: Resolved, now: float) -> str:
        """Do what the line says; raises `Refused` and has changed nothing."""
        session, configuration = self.session, self.device.configuration
        before = configuration.edits
        if session.mode and command.root is SUBMODES[session.mode]:
            printed = cli_configure.in_submode(session, command)
        elif command.root in _EXEC_ROOTS:
            printed = cli_exec.execute(session, line, command, now)
        else:
            session.leave_submode()
            printed = cli_configure.configure(session, command, now)
        if configuration.edits != before:
            self.device.modified = (session.user, now)
            printed = self._changed(now) + printed
        if self.device.switches.audit_lines:
            self._audit(" ".join(line.split()), command)
        return printed

    def told(self, line: str, refusal: Refused) -> str:
        """What is printed of a line that was refused."""
        if refusal.text == AMBIGUOUS:
            return f'{AMBIGUOUS}  "{line.strip()}"\n'
        if refusal.text != INVALID:
            if (
                refusal.cause is Cause.MEMBER_PRESENT
                and self.device.switches.duplicate_message == "warning"
            ):
                return f"WARNING: {refusal.text.replace(' )', ')', 1)}\n"
            return refusal.text + "\n"
        column = column_of(line, refusal.at)
        if self.caret_at is not None:
            return f"{' ' * (self.caret_at + column)}^\n{INVALID}\n"
        return marker(line, column)

    def _changed(self, now: float) -> str:
        """What a failover pair has to say of a change."""
        if self.device.role == "standby":
            self.device.diverged = True
            return STANDBY_WARNING
        return SYNC_NOTICE if now < self.device.sync_until else ""

    def _audit(self, line: str, command: Resolved) -> None:
        """111008 for each command, 111010 beside it where it is no mere look."""
        user = self.session.user
        text = f"User '{user}' executed the '{line}' command."
        self.device.outbox.append(Message("111008", 5, text))
        if command.words[0] not in _LOOKS:
            text = f"User '{user}', running 'CLI' from IP {self.session.peer}, executed '{line}'"
            self.device.outbox.append(Message("111010", 5, text))


def _printable(line: str) -> str:
    """Control characters have no place in a configuration, a log or a terminal."""
    if line.isprintable():
        return line
    return "".join(key if key.isprintable() else " " for key in line)
