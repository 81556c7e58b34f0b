"""
An ASA's HTTP interface as a `model.AsaDriver` (docs/develop/asa.md, section 4).
"""

import re
import time
from collections.abc import Callable, Collection, Sequence
from itertools import groupby

from attrs import define, field

from tscm.kinds.asa import portions
from tscm.kinds.asa.cli import device
from tscm.kinds.asa.cli.blocks import blocks
from tscm.kinds.asa.driver import Configuration, Group, Step
from tscm.kinds.asa.http.link import HttpLink
from tscm.kinds.asa.http.pieces import takes_away
from tscm.kinds.asa.http.post_size import LARGEST, PostSize
from tscm.kinds.asa.http.posting import END_COMMAND, PLAIN_TYPE, Poster
from tscm.kinds.asa.http.text_lines import TextLines
from tscm.kinds.faults import Forbidden
from tscm.model import Identity, Json, Traffic

_END = re.compile(r"Username ?: ?\S")
_LEVEL = re.compile(r"Current privilege level ?: ?([0-9]{1,2})")
_FULL_PRIVILEGE = 15


@define(eq=False)
class HttpDriver:
    """
    Object-groups by the HTTP interface.

    *started_at* is what the last driver made of the device's uptime, which it tells to the hour.
    """

    _link: HttpLink
    size: PostSize = field(factory=PostSize)
    plain: bool = False
    """Does it not take lines in XML?"""
    started_at: float | None = None
    _clock: Callable[[], float] = time.time
    _poster: Poster = field(init=False)
    _version: str | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._poster = Poster(self._link, self.size, self.plain, self._link.monotonic)

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""
        return self._link.traffic

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
            "certificate": self._link.fingerprint or self._link.trust.seen,
        }

    def probe(self) -> Identity:
        """`show version`."""
        self._version = self.look("show version")
        return self._identity(self._version)

    def identify(self) -> Identity:
        """The same, and the role in a failover pair."""
        identity = self.probe() if self._version is None else self._identity(self._version)
        return device.active_unit(self._link.name, identity, self.look("show failover"))

    def _identity(self, version: str) -> Identity:
        found = device.identity_in(self._link.name, version, self._clock(), self.started_at)
        self.started_at = found.started_at
        return found

    def read_groups(self, prefix: str) -> dict[str, Group]:
        """All groups of that prefix, from one request."""
        return device.read_groups(self._link.name, prefix, self._ask_for)

    def running_config(self, prefix: str) -> Configuration:
        """`show running-config`, condensed."""
        return device.read_configuration(self._link.name, prefix, self._ask_for)

    def apply(self, step: Step) -> None:
        """One step, in as many requests as its size takes."""
        for portion in self.portions([step]):
            self.apply_all(portion)

    def portions(self, steps: Sequence[Step]) -> list[tuple[Step, ...]]:
        """Large steps split, neighbouring small ones joined."""
        return portions.portions(steps, LARGEST, join=True)

    def apply_all(self, steps: Sequence[Step]) -> None:
        """One portion; what takes away is posted when what comes before it was taken."""
        for _, run in groupby(steps, key=takes_away):
            self._poster.post(list(blocks(tuple(run))))

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

    def close(self) -> None:
        """Log out."""
        self._link.close()

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
