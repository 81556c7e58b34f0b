"""
What the test of a device's chain asks of a kind: to block an entry of its own, and to take it out again.
"""

from collections.abc import Callable

from attrs import define, frozen

from tscm.doctor.finding import Finding
from tscm.errors import TscmError
from tscm.kinds.kind import kind_of, loaded
from tscm.model import Cidr, Report
from tscm.settings.device import DeviceSettings
from tscm.update.job import UpdateJob


@define(eq=False)
class ProofRefused(TscmError):
    """
    A device is in no state in which its chain can be tested; nothing was changed.
    """

    device: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.device} cannot be tested: {self.cause}; {self.remedy}"


@frozen(kw_only=True, eq=False)
class Prepared:
    """
    What a test will block, what its device is asked then (*command*; None: nothing), and what is known before.
    """

    entry: Cidr
    command: str | None
    packet: str
    """The packet that is awaited, in words."""
    use: Finding
    """Is what holds the entry in force on the device?"""
    judge_match: Callable[[str | None], Finding]
    """By what the device said to *command*: does it stop the packet?"""


@frozen(kw_only=True)
class Pushed:
    """
    The *group* that holds the entry, what the device *said* to a command (None: nothing), how long each took.
    """

    group: str
    said: str | None
    push_seconds: float
    look_seconds: float = 0.0


@frozen(kw_only=True)
class Prover:
    """
    The three steps of a test on the device.  Blocking; each raises `DeviceFault`, the first also `ProofRefused`.
    """

    prepare: Callable[[UpdateJob, int, Report], Prepared]
    """Look, and choose an address from a number on; what an earlier test left is taken out."""
    put_in: Callable[[UpdateJob, Cidr, str | None, Report], Pushed]
    """Block an entry, read it back, and have the device carry out a command, which changes nothing."""
    take_out: Callable[[UpdateJob, Report], None]
    """Have the device hold what the last update put in force, and nothing else."""


def prover_of(settings: DeviceSettings) -> Prover:
    """The steps as the device's kind takes them."""
    prover: Prover = loaded(kind_of(settings).proof)
    return prover
