"""
A session on the command line as a terminal sees it: prompts, modes, pager, echo.

docs/asa.md, section 5.  Pure: keys in, text out.  Without `terminal width 511` the echo of a line that is
longer than 80 columns scrolls, with a `$` for what has gone; how many columns it jumps is ours.
"""

from attrs import define, field

from tscm.simulator.cli import Console
from tscm.simulator.cli_words import marker
from tscm.simulator.device import Device

BANNER = "Type help or '?' for a list of available commands.\r\n"
MORE = "<--- More --->"
_WIPE = "\r" + " " * len(MORE) + "\r"
_LOOKS = frozenset({"show", "sh", "more", "packet-tracer", "ping"})
_PRIVILEGED = frozenset({*_LOOKS, "write", "wr", "copy"})
_WIDTH = 80
_LINES = 24
_JUMP = 20
_TRIES = 3
MAX_LINE = 512


@define(eq=False)
class Terminal:
    """
    One session of *user*; *privilege* 15 with auto-enable begins in privileged mode.
    """

    device: Device
    user: str
    peer: str = "0.0.0.0"  # noqa: S104 - what the ASA prints of a console
    auto_enable: bool = False
    closed: bool = field(default=False, init=False)
    _console: Console = field(init=False)
    _privileged: bool = field(default=False, init=False)
    _configuring: bool = field(default=False, init=False)
    _typed: str = field(default="", init=False)
    _after_cr: bool = field(default=False, init=False)
    _asks_password: bool = field(default=False, init=False)
    _tries: int = field(default=0, init=False)
    _waiting: list[str] = field(factory=list, init=False)
    _page: int = field(default=_LINES - 1, init=False)

    def __attrs_post_init__(self) -> None:
        self._console = Console(self.device, self.user, self.peer)
        self._privileged = self.auto_enable
        for line in self.device.configuration.plain:
            words = line.split()
            if words[:2] == ["pager", "lines"] and words[2:3] and words[2].isdigit():
                self._page = int(words[2])

    def begin(self) -> str:
        """What is printed first."""
        return BANNER + self.prompt

    @property
    def prompt(self) -> str:
        """Of the mode that the session is in."""
        mode = f"(config{self._console.submode})" if self._configuring else ""
        return f"{self._name()}{mode}{'#' if self._privileged else '>'} "

    def _name(self) -> str:
        device = self.device
        if "prompt hostname state priority" not in device.configuration.plain:
            return device.hostname
        state = {"active": "act", "standby": "stby"}.get(device.role or "", "actNoFailover")
        return f"{device.hostname}/{state}/{'pri' if device.unit == 'Primary' else 'sec'}"

    @property
    def _width(self) -> int:
        for line in self.device.configuration.plain:
            if line.startswith("terminal width "):
                return int(line.split()[2]) or MAX_LINE
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

    def _key(self, key: str, now: float) -> str:
        if self._waiting:
            return self._turn_page(key)
        if key in "\r\n":
            line, self._typed = self._typed, ""
            return "\r\n" + (
                self._password(line, now) if self._asks_password else self._line(line, now)
            )
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
        """The key, or the end of the line anew where it has come to the right edge."""
        room = max(_JUMP + 2, self._width - len(self.prompt) - 1)
        over = len(self._typed) - room
        if over < 0 or over % _JUMP:
            return key
        tail = self._typed[-(room - _JUMP - 1) :]
        blank = " " * (_JUMP - 1)
        return "\b" * (room - 1) + "$" + tail + blank + "\b" * len(blank)

    # -- lines -----------------------------------------------------------------

    def _line(self, line: str, now: float) -> str:
        words = line.split()
        if not words:
            return self.prompt
        done = self._change_mode(words)
        if done is None:
            done = self._page_out(self._run(line, words, now))
        return done

    def _change_mode(self, words: list[str]) -> str | None:
        """What a word that changes the mode prints; None for any other."""
        first = words[0]
        if first in ("exit", "quit", "logout", "end", "disable"):
            return self._leave(first)
        if first in ("enable", "en") and not self._privileged:
            self._asks_password, self._tries = True, 0
            return "Password: "
        if first in ("configure", "conf") and self._privileged:
            self._configuring = True
            return self.prompt
        if words[:2] == ["terminal", "pager"] and self._privileged:
            counts = [int(one) for one in words[2:] if one.isdigit()]
            self._page = counts[0] if counts else self._page
            return self.prompt
        return None

    def _leave(self, word: str) -> str:
        if word in ("exit", "quit") and self._console.submode:
            self._console.leave_submode()
        elif self._configuring and word != "logout":
            self._console.leave_submode()
            self._configuring = False
        elif word == "disable":
            self._privileged = False
        elif word != "end":
            self.closed = True
            return "\r\nLogoff\r\n\r\n"
        return self.prompt

    def _password(self, given: str, now: float) -> str:
        del now
        if self.device.accounts.check(self.user, given) is not None:
            self._asks_password, self._privileged = False, True
            return self.prompt
        self._tries += 1
        if self._tries < _TRIES:
            return "Invalid password\r\nPassword: "
        self._asks_password = False
        return "Invalid password\r\nAccess denied.\r\n" + self.prompt

    def _run(self, line: str, words: list[str], now: float) -> str:
        known = _PRIVILEGED if self._privileged else _LOOKS
        if not self._configuring and words[0] not in known:
            return marker(line, len(self.prompt))
        if not self._privileged and words[1:2] in (["running-config"], ["run"]):
            return marker(line, len(self.prompt) + len(words[0]) + 1)
        before = self.device.configuration.generation
        printed = self._console.run(line, now)
        if self.device.configuration.generation != before:
            self.device.outside_changes += 1
        return printed

    def _page_out(self, text: str) -> str:
        lines = text.removesuffix("\n").split("\n") if text else []
        if not self._page or len(lines) <= self._page:
            return "".join(f"{one}\r\n" for one in lines) + self.prompt
        self._waiting = lines[self._page :]
        return "".join(f"{one}\r\n" for one in lines[: self._page]) + MORE

    def _turn_page(self, key: str) -> str:
        if key in "qQ\x03":
            self._waiting = []
            return _WIPE + self.prompt
        count = 1 if key in "\r\n" else self._page
        lines, self._waiting = self._waiting[:count], self._waiting[count:]
        shown = _WIPE + "".join(f"{one}\r\n" for one in lines)
        return shown + (MORE if self._waiting else self.prompt)
