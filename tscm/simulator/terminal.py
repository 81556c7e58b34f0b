"""
A session on the command line as a terminal sees it: prompts, modes, pager, echo.

docs/develop/asa.md, section 5.  Pure: keys in, text out.  Without `terminal width 511` the echo of a line that is
longer than 80 columns scrolls, with a `$` for what has gone; how many columns it jumps is ours.
"""

from attrs import define, field

from tscm.simulator import cli_files
from tscm.simulator.cli import Console
from tscm.simulator.cli_files import Copy
from tscm.simulator.device import ADMIN, SYSTEM, Device
from tscm.simulator.digits import whole
from tscm.simulator.grammar import Resolved
from tscm.simulator.refusal import Refused
from tscm.simulator.session import Session

BANNER = "Type help or '?' for a list of available commands.\r\n"
REPORTING = (
    "\r\nWould you like to enable anonymous error reporting to help improve the product? "
    "[Y]es, [N]o, [A]sk later: "
)
MORE = "<--- More --->"
_WIPE = "\r" + " " * len(MORE) + "\r"
_WIDTH = 80
_LINES = 24
_JUMP = 20
_TRIES = 3
_PROMPT = "prompt hostname context"
_ENABLE = "enable password "
_INTERRUPT = "\x03"
_ESCAPE = "\x1b"
MAX_LINE = 512


@define(eq=False)
class Terminal:
    """
    One session of *user*; *privilege* 15 with auto-enable begins in privileged mode.
    """

    _device: Device
    user: str
    peer: str = "0.0.0.0"  # noqa: S104 - what the ASA prints of a console
    auto_enable: bool = False
    _console: Console = field(init=False)
    _session: Session = field(init=False)
    _typed: str = field(default="", init=False)
    _after_cr: bool = field(default=False, init=False)
    _escape: str = field(default="", init=False)
    """An arrow or another key that sends several characters, as far as it came."""
    _asks_password: bool = field(default=False, init=False)
    _tries: int = field(default=0, init=False)
    _copy: Copy | None = field(default=None, init=False)
    """What is to be copied while its questions are asked; *answers* are those so far."""
    _answers: list[str] = field(factory=list, init=False)
    _waiting: list[str] = field(factory=list, init=False)
    _asks_reporting: bool = field(default=False, init=False)
    """The question of a first login is on the screen."""

    def __attrs_post_init__(self) -> None:
        level = "exec" if self.auto_enable else "user"
        self._session = Session(
            self._device, self.user, self.peer, level=level, interactive=True, pager=_LINES - 1
        )
        self._console = Console(self._session)
        for line in self._device.configuration.plain:
            words = line.split()
            if words[0] == "pager":
                lines = whole(words[-1], 1 << 31)
                self._session.pager = _LINES - 1 if lines is None else lines

    @property
    def device(self) -> Device:
        """The firewall, or the context of it, that is typed on."""
        return self._session.device

    @property
    def closed(self) -> bool:
        """Has the session ended?"""
        return self._session.closed

    def begin(self) -> str:
        """What is printed first: the configured banners, and perhaps the question of a first login."""
        banners = "".join(
            " ".join(line.split(" ")[2:]) + "\r\n"
            for line in self.device.configuration.plain
            if line.startswith(("banner login ", "banner motd "))
        )
        self._asks_reporting = self.device.switches.ssh_unasked == "reporting"
        return banners + BANNER + (REPORTING if self._asks_reporting else self.prompt)

    @property
    def asks(self) -> bool:
        """Is a question on the screen, or a page, and no prompt?"""
        return bool(self._asks_password or self._asks_reporting or self._copy or self._waiting)

    @property
    def group(self) -> str:
        """The network object-group whose sub-mode it is in; empty outside of one."""
        session = self._session
        inside = session.level == "config" and session.mode == "network-group"
        return session.target if inside else ""

    @property
    def prompt(self) -> str:
        """Of the mode that the session is in."""
        level = self._session.level
        mode = f"(config{self._console.submode})" if level == "config" else ""
        return f"{self._name()}{mode}{'>' if level == 'user' else '#'} "

    def _name(self) -> str:
        device = self.device
        whole = device.spaces.get(ADMIN, device)
        parts = {
            "hostname": device.hostname,
            "context": "" if device.space == SYSTEM else device.space,
            "priority": "pri" if whole.unit == "Primary" else "sec",
            "state": {"active": "act", "standby": "stby"}.get(whole.role or "", "actNoFailover"),
        }
        line = next(
            (one for one in whole.configuration.plain if one.startswith("prompt ")), _PROMPT
        )
        named = [parts[word] for word in line.split()[1:] if parts.get(word)]
        return "/".join(named) or device.hostname

    @property
    def _width(self) -> int:
        for line in self.device.configuration.plain:
            if line.startswith("terminal width "):
                return whole(line.split()[2], MAX_LINE, 1) or MAX_LINE
        return _WIDTH

    # -- keys ------------------------------------------------------------------

    def feed(self, keys: str, now: float) -> str:
        """What comes on the screen when *keys* are typed."""
        printed = ""
        for key in keys:
            if self.closed:
                break
            second_half = key == "\n" and self._after_cr
            self._after_cr = key == "\r"
            if not second_half:
                printed += self._key(key, now)
        return printed

    def _is_escape(self, key: str) -> bool:
        """Does *key* belong to such a key?  These do nothing here (ECMA-48, 5.4)."""
        if _ESCAPE in (key, self._escape):
            self._escape = "" if self._escape == _ESCAPE and key not in "[O" else key
            return True
        if self._escape:
            self._escape = "" if "@" <= key <= "~" else self._escape
            return True
        return False

    def _key(self, key: str, now: float) -> str:
        if self._is_escape(key):
            return ""
        if self._waiting:
            return self._turn_page(key)
        if key in "\r\n":
            line, self._typed = self._typed, ""
            return "\r\n" + self._entered(line, now)
        if key == _INTERRUPT and (self._copy or self._asks_password):
            self._copy, self._asks_password, self._typed = None, False, ""
            return "\r\n" + self.prompt
        if key in "\b\x7f":
            return self._rub_out()
        if not key.isprintable() or len(self._typed) >= MAX_LINE:
            return ""
        self._typed += key
        return "" if self._asks_password else self._echo(key)

    def _rub_out(self) -> str:
        if not self._typed:
            return ""
        self._typed = self._typed[:-1]
        return "" if self._asks_password else "\b \b"

    def _echo(self, key: str) -> str:
        """The key, or the end of the line again where it has come to the right edge."""
        room = max(_JUMP + 2, self._width - len(self.prompt) - 1)
        over = len(self._typed) - room
        if over < 0 or over % _JUMP:
            return key
        tail = self._typed[-(room - _JUMP - 1) :]
        blank = " " * (_JUMP - 1)
        return "\b" * (room - 1) + "$" + tail + blank + "\b" * len(blank)

    # -- lines -----------------------------------------------------------------

    def _entered(self, line: str, now: float) -> str:
        if self._asks_reporting:
            self._asks_reporting = line.strip().upper() not in ("Y", "N", "A")
            return REPORTING if self._asks_reporting else self.prompt
        if self._asks_password:
            return self._password(line)
        if self._copy is not None:
            return self._answer(self._copy, line, now)
        return self._line(line, now) if line.strip() else self.prompt

    def _line(self, line: str, now: float) -> str:
        console = self._console
        console.caret_at = len(self.prompt)
        if line.strip()[0] in "!:":
            return self.prompt
        try:
            command = console.resolve(line)
            if command.words[0] == "enable" and self._session.level == "user":
                self._asks_password, self._tries = True, 0
                return self.device.switches.ssh_enable_prompt
            if command.words[0] == "copy" and self._session.level != "user":
                copy = cli_files.read_copy(command.words[1:])
                if copy.asks:
                    self._copy, self._answers = copy, []
                    return "\r\n" + cli_files.questions(copy)[0]
            printed = self._perform(line, command, now)
        except Refused as refusal:
            printed = console.told(line, refusal)
        if self._session.closed:
            return "\r\nLogoff\r\n\r\n"
        return self._page_out(printed)

    def _perform(self, line: str, command: Resolved, now: float) -> str:
        """Do it; a change made so is an outside change to the agent."""
        before = self.device.configuration.generation
        printed = self._console.perform(line, command, now)
        if self.device.configuration.generation != before:
            self.device.outside_changes += 1
        return printed

    def _answer(self, copy: Copy, line: str, now: float) -> str:
        """An answer to a question of `copy`; the next question, or what comes of it."""
        self._answers.append(line)
        asked = cli_files.questions(copy)
        if len(self._answers) < len(asked):
            return "\r\n" + asked[len(self._answers)]
        try:
            wanted = cli_files.answered(copy, self._answers)
            if cli_files.overwrites(self.device, wanted):
                if len(self._answers) == len(asked):
                    return cli_files.OVERWRITE.replace("\n", "\r\n")
                if line.strip()[:1] not in ("", "y", "Y"):
                    self._copy = None
                    return self.prompt
            printed = "\n" + cli_files.carry_out(self.device, wanted, now)
        except Refused as refusal:
            printed = f"\n{refusal.text}\n"
        self._copy = None
        return self._page_out(printed)

    def _password(self, given: str) -> str:
        if self._enables(given):
            self._asks_password, self._session.level = False, "exec"
            return self.prompt
        self._tries += 1
        if self._tries < _TRIES:
            return f"Invalid password\r\n{self.device.switches.ssh_enable_prompt}"
        self._asks_password = False
        return "Invalid password\r\nAccess denied.\r\n" + self.prompt

    def _enables(self, given: str) -> bool:
        """Is it the enable password, or the user's own where none is configured?"""
        for line in self.device.configuration.plain:
            if line.startswith(_ENABLE):
                return given == line.split()[2]
        return self.device.accounts.check(self.user, given) is not None

    def _page_out(self, text: str) -> str:
        lines = text.removesuffix("\n").split("\n") if text else []
        page = self._session.pager
        if not page or len(lines) <= page:
            return "".join(f"{one}\r\n" for one in lines) + self.prompt
        self._waiting = lines[page:]
        return "".join(f"{one}\r\n" for one in lines[:page]) + MORE

    def _turn_page(self, key: str) -> str:
        if key in "qQ\x03":
            self._waiting = []
            return _WIPE + self.prompt
        count = 1 if key in "\r\n" else max(1, self._session.pager)
        lines, self._waiting = self._waiting[:count], self._waiting[count:]
        shown = _WIPE + "".join(f"{one}\r\n" for one in lines)
        return shown + (MORE if self._waiting else self.prompt)
