"""
Blocks of configuration lines, typed in windows, and what the device said of them.

Each line's prompt is waited for before the next window goes out, and each block begins and ends where the prompt shows
that it did.  So what is printed by itself may bring a prompt too many, and lines may get lost: neither puts a member
into another group.
"""

from collections.abc import Mapping, Sequence

from attrs import define, field

from tscm.kinds.asa.cli.blocks import Block
from tscm.kinds.asa.cli.refusals import Refusals
from tscm.kinds.asa.ssh.console import Console
from tscm.kinds.asa.ssh.prompts import CONFIGURATION, Prompt
from tscm.kinds.asa.ssh.screen import Line, Prompted
from tscm.kinds.asa.ssh.window import Window
from tscm.kinds.faults import Overloaded

_LOST_SECONDS = 15.0
"""After so long without a byte a line may have got lost: `exit` shows whether the device still works."""
_PARSER = ("% Invalid input", "% Incomplete command", "% Ambiguous command")
_CONFIGURE = "configure terminal"
_EXIT = "exit"
_END = "end"


@define(eq=False)
class Writer:
    """
    One portion of a push, on *console*, for *device*.
    """

    device: str
    console: Console
    window: Window
    _refusals: Refusals = field(init=False)
    _waiting: list[str] = field(factory=list, init=False)
    """Lines whose prompts are to come."""

    def __attrs_post_init__(self) -> None:
        self._refusals = Refusals(self.device)

    @property
    def told(self) -> Mapping[str, None]:
        """What the device warned of."""
        return self._refusals.told

    def write(self, blocks: Sequence[Block]) -> None:
        """
        Type all of *blocks*; back in privileged mode.

        Raises `UnitOnStandby`, `Replicating`, `Forbidden`, `Refused` when the device is at the top again, and
        `FellSilent` and `ChannelClosed` when it may be anywhere.
        """
        self._one(_CONFIGURE, CONFIGURATION)
        if self._refusals.count:  # that says nothing of the lines that were to follow
            raise Overloaded(
                self.device,
                f"`{_CONFIGURE}` was refused: {self._refusals.found[0][1]}",
                "check whether another session is configuring the device",
            )
        for block in blocks:
            if self._stopped:
                break
            if block.header:
                self._below(block)
            else:
                for line in block.lines:
                    if not self._stopped:
                        self._one(line, CONFIGURATION)
        if self._mode:
            self._one(_END, "")
        if self._stopped:
            raise self._refusals.fault()

    @property
    def _mode(self) -> str:
        assert self.console.prompt is not None
        return self.console.prompt.mode

    @property
    def _stopped(self) -> bool:
        return self._refusals.any

    def _one(self, line: str, mode: str) -> None:
        """Type *line* alone, and wait for the prompt of *mode*, or for one behind a refusal."""
        self.console.type(line)
        self._waiting.append(line)
        stopped = self._stopped  # then it is the way back that is waited for
        while self._prompt().mode != mode:
            if self._stopped and not stopped and not self._waiting:
                return
        self._waiting.clear()

    def _below(self, block: Block, at: int = 0) -> None:
        self.console.type(block.header)
        self._waiting.append(block.header)
        while not self._prompt().submode:
            if self._stopped:
                return  # it is not in the group: nothing may be typed that is meant for it
        self._waiting.clear()
        while at < len(block.lines) and not self._stopped:
            lines = block.lines[at : at + self.window.size]
            at += len(lines)
            if not self._together(lines):
                self._leave_silence(block.header, lines)
                if at < len(block.lines) and not self._stopped:
                    self._below(block, at)
                return
        self._one(_EXIT, CONFIGURATION)

    def _together(self, lines: Sequence[str]) -> bool:
        """Type *lines*; did each bring a prompt?"""
        self._waiting += lines
        try:
            self.console.type_all(lines)
            while self._waiting:
                if self._next_prompt(_LOST_SECONDS) is None:
                    return False
        except Exception:
            self.window.was_trouble(len(lines))
            raise
        if any(words in said for _, said in self._refusals.found for words in _PARSER):
            self.window.was_trouble(len(lines))  # what we type is known to it, when it comes whole
        else:
            self.window.went_well(len(lines))
        return True

    def _leave_silence(self, header: str, lines: Sequence[str]) -> None:
        """Silence: from a device that compiles access-lists, or from one that waits for what got lost."""
        ways_out = ("", _EXIT)  # an empty line ends one that was torn
        self._waiting += ways_out
        self.console.type_all(ways_out)
        while self._prompt().mode != CONFIGURATION:
            pass
        if self._waiting:
            self.window.was_trouble(len(lines))
            self._refusals.add(header, f"{len(self._waiting)} of {len(lines)} lines were lost")
            self._waiting.clear()

    def _prompt(self) -> Prompt:
        prompt = self._next_prompt(None)
        assert prompt is not None  # without a limit of its own the console raises
        return prompt

    def _next_prompt(self, seconds: float | None) -> Prompt | None:
        """Judge what is printed up to the next prompt; None after *seconds* of silence."""
        while True:
            event = self.console.next_event(seconds)
            if event is None:
                return None
            if isinstance(event, Line):
                self._judge(event.text)
            elif isinstance(event, Prompted):
                if self._waiting:
                    del self._waiting[0]
                return event.prompt

    def _judge(self, text: str) -> None:
        self._refusals.judge(self._waiting[0] if self._waiting else "", text)
