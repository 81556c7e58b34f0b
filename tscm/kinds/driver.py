"""
What every driver of a device gives, whatever it leads to.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from tscm.model import Identity, Json, Traffic


class Driver(Protocol):
    """
    A way to one device.  Blocking, for one thread at a time; every method but `close` raises `DeviceFault`.
    """

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""

    @property
    def learnt(self) -> Json:
        """What this driver wants to be told when the device's next one is opened."""

    def probe(self) -> Identity:
        """The cheapest question: is the device there, which version, since when."""

    def identify(self) -> Identity:
        """Version, model, serial number, role: all that the device says of itself."""

    def close(self) -> None:
        """Give back what the device counts (tokens, sessions).  Never raises."""


@frozen
class NoDriver:
    """
    For a kind whose devices are never asked: they fetch what is published for them.
    """

    @property
    def traffic(self) -> Traffic:
        """Nothing is said."""
        return Traffic()

    @property
    def learnt(self) -> Json:
        """Nothing is learnt."""
        return {}

    def probe(self) -> Identity:
        """Nothing is known."""
        return Identity()

    def identify(self) -> Identity:
        """Nothing is known."""
        return Identity()

    def close(self) -> None:
        """Nothing is open."""


def no_driver(*_: object, **__: object) -> Driver:
    """`Kind.connect` of a kind whose devices are never asked."""
    return NoDriver()


def identified(opener: Callable[[], Driver]) -> Identity:
    """What the device says of itself, in a session of its own.  Raises `DeviceFault`."""
    driver = opener()
    try:
        return driver.identify()
    finally:
        driver.close()
