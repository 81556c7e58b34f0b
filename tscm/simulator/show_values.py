"""
What a `show` command is given, and how it puts lines together.
"""

import time
from collections.abc import Iterable

from attrs import frozen

from tscm.simulator.device import Device
from tscm.simulator.session import Session


@frozen(kw_only=True)
class Look:
    """
    One `show …` or `more …` of a session: *words* with their keywords in full.
    """

    session: Session
    words: tuple[str, ...]
    now: float

    @property
    def device(self) -> Device:
        """The firewall that is looked at."""
        return self.session.device

    @property
    def rest(self) -> list[str]:
        """What follows `show WHAT`."""
        return list(self.words[2:])


def lines_of(lines: Iterable[str]) -> str:
    """Each line with its end; nothing where there is none."""
    text = "\n".join(lines)
    return text + "\n" if text else ""


def moment(device: Device, at: float) -> str:
    """A time as the firewall's own clock shows it."""
    parts = time.gmtime(at + device.switches.clock_ahead_seconds)
    thousandths = int(at * 1000) % 1000
    return time.strftime(f"%H:%M:%S.{thousandths:03d} UTC %a %b %d %Y", parts)
