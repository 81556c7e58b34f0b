"""
A session on a device's command line: commands in, what they print out.

Blocking, for one thread.  The bytes come over a `Channel`; what they mean says `tscm.kinds.asa.ssh.screen`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import define, field

from tscm.kinds.asa.cli.verdicts import is_notice
from tscm.kinds.asa.ssh.prompts import Prompt
from tscm.kinds.asa.ssh.screen import (
    Candidate,
    Echo,
    Event,
    Line,
    PageFull,
    PasswordAsked,
    PrintsTooMuch,
    Prompted,
    ReportingAsked,
    Screen,
)

END = b"\n"
SILENCE_SECONDS = 330.0
"""Adding to a group in use compiles access-lists again, and the device says nothing for minutes."""
LONGEST_SECONDS = 1800.0
"""For what one command prints, however steadily."""
_LATER = b"A"
_MOST_LINES = 20_000
"""For `ask`, which keeps them; who wants more takes them one by one."""


class Channel(Protocol):
    """
    Bytes to and from the device's terminal.
    """

    def receive(self, seconds: float) -> bytes | None:
        """What came, at the latest after *seconds*; None where nothing did.  Raises `ChannelClosed`."""

    def send(self, data: bytes) -> None:
        """All of *data*.  Raises `ChannelClosed`."""

    def close(self) -> None:
        """Never raises."""


class ChannelClosed(Exception):
    """
    The session is over: the device or the network ended it, or we did, because the manager stops.
    """


class FellSilent(Exception):
    """
    Nothing came for so long that nothing will.
    """


@define(eq=False)
class Console:
    """
    Events of one session, one after the other, with an end for each wait.

    What needs no decision is answered here: pages, and the question of a first login.
    """

    channel: Channel
    screen: Screen
    monotonic: Callable[[], float]
    silence_seconds: float = SILENCE_SECONDS
    longest_seconds: float = LONGEST_SECONDS
    prompt: Prompt | None = field(default=None, init=False)
    """The last one."""
    commands: int = field(default=0, init=False)
    sent: int = field(default=0, init=False)
    received: int = field(default=0, init=False)
    lost: bool = field(default=False, init=False)
    """Was an answer given up in its middle?  Then what comes next belongs to it still."""
    _events: deque[Event] = field(factory=deque, init=False)

    def type(self, line: str, *, secret: bool = False) -> None:
        """One line and its end; *secret* ones are no commands, and not counted."""
        self.type_all([line])
        if secret:
            self.commands -= 1

    def type_all(self, lines: Sequence[str]) -> None:
        """Several at once."""
        data = b"".join(line.encode() + END for line in lines)
        self.commands += len(lines)
        self._send(data)

    def _send(self, data: bytes) -> None:
        self.sent += len(data)
        self.channel.send(data)

    def next_event(self, seconds: float | None = None) -> Event | None:
        """
        The next one; None after *seconds* without any byte, where they are given.

        Raises `FellSilent`, `ChannelClosed`, `PrintsTooMuch`.
        """
        limit = self.silence_seconds if seconds is None else seconds
        while not self._events:
            data = self.channel.receive(limit)
            if data is None:
                if seconds is not None:
                    return None
                raise FellSilent(f"{limit:,.0f} s")
            self.received += len(data)
            for event in self.screen.feed(data):
                if isinstance(event, PageFull):
                    self._send(b" ")
                elif isinstance(event, ReportingAsked):
                    self._send(_LATER + END)
                else:
                    self._events.append(event)
        event = self._events.popleft()
        if isinstance(event, Prompted):
            self.prompt = event.prompt
        return event

    def settle(self, seconds: float) -> None:
        """Take what still comes, until nothing does for *seconds*."""
        until = self.monotonic() + self.longest_seconds
        while self.next_event(seconds) is not None:
            if self.monotonic() > until:
                raise FellSilent("all the time")

    def ask(self, command: str) -> list[str]:
        """The lines that *command* prints."""
        lines: list[str] = []

        def take(line: str) -> None:
            if len(lines) >= _MOST_LINES:
                raise PrintsTooMuch(f"more than {_MOST_LINES:,} lines on `{command}`")
            lines.append(line)

        self.ask_for(command, take)
        return lines

    def ask_for(self, command: str, take: Callable[[str], None]) -> None:
        """Hands *take* the lines that *command* prints, as they come."""
        self.type(command)
        try:
            self._answer(take)
        except BaseException:
            self.lost = True
            raise

    def _answer(self, take: Callable[[str], None]) -> None:
        """
        The lines of the next answer.

        An answer begins with an echo.  A prompt that is merely printed again, after something that was not asked
        for, has none in front: it ends no answer.
        """
        echoed = False
        until = self.monotonic() + self.longest_seconds
        while True:
            match self.next_event():
                case Echo(text):
                    echoed = echoed or bool(text.strip() and self.screen.mark not in text)
                case Line(text):
                    if not is_notice(text):
                        # After an unasked line the echo stands on a line of its own.
                        if echoed or not text.strip():
                            take(text)
                        echoed = echoed or bool(text.strip())
                case Prompted():
                    if echoed:
                        return
                case PasswordAsked() | Candidate():
                    pass
            if self.monotonic() > until:
                raise FellSilent(f"it prints for more than {self.longest_seconds:,.0f} s")
