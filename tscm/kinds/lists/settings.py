"""
What is set for each firewall that pulls: how much it reads, and how often it usually comes.
"""

from typing import ClassVar

from attrs import frozen

from tscm.settings import values
from tscm.settings.pulled import PullSettings, minutes, size
from tscm.settings.schema import setting


@frozen(kw_only=True)
class GenericSettings(PullSettings):
    """Type `generic`: any firewall or proxy that reads one network a line."""

    type: str = setting(values.choice("generic"), "generic", doc="Type of the device.")


@frozen(kw_only=True)
class FirepowerSettings(PullSettings):
    """Type `firepower`: Security Intelligence of Cisco FMC or FDM."""

    type: str = setting(values.choice("firepower"), "firepower", doc="Type of the device.")
    pull_minutes: int = minutes(30)


@frozen(kw_only=True)
class PanosSettings(PullSettings):
    """Type `panos`: an external dynamic list, which takes 50,000 entries, and 150,000 on the large models."""

    type: str = setting(values.choice("panos"), "panos", doc="Type of the device.")
    max_policy_size: int = size(50_000, 150_000)


@frozen(kw_only=True)
class FortinetSettings(PullSettings):
    """Type `fortinet`: a threat feed, which takes 131,072 entries, and 300,000 from FortiOS 7.4.4 on."""

    type: str = setting(values.choice("fortinet"), "fortinet", doc="Type of the device.")
    max_policy_size: int = size(131_072, 300_000)
    pull_minutes: int = minutes(5)


@frozen(kw_only=True)
class CheckpointSettings(PullSettings):
    """Type `checkpoint`: a network feed, or custom intelligence."""

    BLOCK_FILES: ClassVar[tuple[str, ...]] = ("block.txt", "block.csv")

    type: str = setting(values.choice("checkpoint"), "checkpoint", doc="Type of the device.")
    max_policy_size: int = size(100_000, 2_000_000)


@frozen(kw_only=True)
class MikrotikSettings(PullSettings):
    """Type `mikrotik`: an address list of RouterOS, which a script imports."""

    BLOCK_FILES: ClassVar[tuple[str, ...]] = ("block.rsc", "block.txt")

    type: str = setting(values.choice("mikrotik"), "mikrotik", doc="Type of the device.")
    max_policy_size: int = size(20_000, 100_000)
