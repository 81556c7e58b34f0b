"""
Which ASA answers, whichever way leads to it.
"""

from collections.abc import Callable

from tscm.model import AsaDriver, Identity


def identified(opener: Callable[[], AsaDriver]) -> Identity:
    """What the device says of itself, in a session of its own.  Raises `DeviceFault`."""
    driver = opener()
    try:
        return driver.identify()
    finally:
        driver.close()
