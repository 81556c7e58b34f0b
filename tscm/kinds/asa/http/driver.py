"""
An ASA's HTTP interface as a `model.AsaDriver` (docs/develop/asa.md, section 4).
"""

import re
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import ClassVar

from attrs import define, field

from tscm.kinds.asa.cli import device
from tscm.kinds.asa.cli.blocks import blocks
from tscm.kinds.asa.cli.driver import CliDriver
from tscm.kinds.asa.driver import Step
from tscm.kinds.asa.http.link import HttpLink
from tscm.kinds.asa.http.pieces import takes_away
from tscm.kinds.asa.http.post_size import LARGEST, PostSize
from tscm.kinds.asa.http.posting import END_COMMAND, PLAIN_TYPE, Poster
from tscm.kinds.asa.http.text_lines import TextLines
from tscm.kinds.faults import Forbidden, Overloaded
from tscm.model import Json

_END = re.compile(r"Username ?: ?\S")
_LEVEL = re.compile(r"Current privilege level ?: ?([0-9]{1,2})")
_FULL_PRIVILEGE = 15


@define(eq=False)
class HttpDriver(CliDriver[HttpLink]):
    """
    Object-groups by the HTTP interface.
    """

    MOST_LINES: ClassVar[int] = LARGEST

    size: PostSize = field(factory=PostSize)
    plain: bool = False
    """Does it not take lines in XML?"""
    _poster: Poster = field(init=False)
    _wrote: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._poster = Poster(self._link, self.size, self.plain, self._link.monotonic)

    @property
    def told(self) -> Collection[str]:
        """What the device warned of when it was changed."""
        return tuple(self._poster.told)

    @property
    def learnt(self) -> Json:
        """The size of a POST, how the device wants its lines and its logins, its certificate and start."""
        return {
            **self.size.learnt,
            "plain": self._poster.plain,
            "form": self._link.by_form,
            "started_at": self.started_at,
            "certificate": self._link.certificate,
        }

    def apply_all(self, steps: Sequence[Step]) -> None:
        """
        One portion; what takes away is posted when what comes before it was taken, and is still there.

        Raises `Overloaded` when the device has restarted since then.
        """
        for away, run in groupby(steps, key=takes_away):
            if away and self._wrote:
                self._confirm_running()
            self._wrote = True
            self._poster.post(list(blocks(tuple(run))))

    def _confirm_running(self) -> None:
        """
        Check that the device has not restarted, which undoes what is not saved.

        Requests share no session that a restart would end, and a manager that was suspended in between sees no gap.
        """
        before = self.started_at
        self.probe()
        if before is not None and self.started_at is not None and self.started_at > before:
            raise Overloaded(
                self._link.name,
                "it restarted during the push, which undid what was not saved",
                "the next attempt reads the groups again and continues from there",
            )

    def look(self, command: str) -> str:
        """One command; what is wrong with it stands in its text."""
        lines: list[str] = []
        text = TextLines(lines.append)
        self._link.execute((command,), text.feed, self._link.bounds.command_bytes)
        text.end()
        return "\n".join(lines)

    def save(self) -> None:
        """`write memory` in a POST of its own, believed when it prints `[OK]`."""
        lines: list[str] = []
        text = TextLines(lines.append)
        self._link.configure(b"write memory\n", PLAIN_TYPE, text.feed)
        text.end()
        device.confirm_saved(self._link.name, "\n".join(lines))

    def _ask_for(self, command: str, take: Callable[[str], None]) -> None:
        """Hand over each line that *command* prints, and see that the last was among them."""
        answer = _Answer(take)
        text = TextLines(answer.line)
        self._link.execute((command, END_COMMAND), text.feed, self._link.bounds.configuration_bytes)
        text.end()
        if answer.level is None:
            raise self._link.judge.incomplete(f"`{command}`")
        if answer.level < _FULL_PRIVILEGE:
            raise Forbidden(
                self._link.name,
                f"account {self._link.username} has privilege {answer.level}",
                "enter its `username` line on the device again, with the password and privilege 15 at the end",
            )


@define(eq=False)
class _Answer:
    """What a command prints, and then who asked, with which privilege."""

    take: Callable[[str], None]
    level: int | None = None
    _over: bool = False

    def line(self, text: str) -> None:
        if _END.match(text):
            self._over = True
        elif not self._over:
            self.take(text)
        elif (found := _LEVEL.match(text)) is not None:
            self.level = int(found[1])
