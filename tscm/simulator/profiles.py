"""
The platforms that can be simulated (docs/develop/asa.md, section 4).

`budget_bytes` is the running configuration that the platform's agent bears: 450 KB on ASAv5,
500 KB on ASAv10, about 2 MB on 5555 and 5585 by the release notes; the figures of the others lie
between by their memory and are ours.
"""

from attrs import frozen


@frozen(kw_only=True)
class Profile:
    """
    One platform: what it calls itself and what its agent bears.
    """

    name: str
    device_type: str
    hardware: str
    memory_mb: int
    budget_bytes: int
    asa_version: str = "9.15(1)1"
    agent_version: str | None = "7.15.1"
    """None where the platform has no REST agent."""
    flash_mb: int = 8192


_KB = 1000

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="ASAv5",
            device_type="ASAv",
            hardware="ASAv5, 1536 MB RAM, CPU Xeon E5 series 2000 MHz",
            memory_mb=1536,
            budget_bytes=450 * _KB,
        ),
        Profile(
            name="ASAv10",
            device_type="ASAv",
            hardware="ASAv10, 2048 MB RAM, CPU Xeon E5 series 2000 MHz",
            memory_mb=2048,
            budget_bytes=500 * _KB,
        ),
        Profile(
            name="ASAv30",
            device_type="ASAv",
            hardware="ASAv30, 8192 MB RAM, CPU Xeon E5 series 2000 MHz, 4 CPUs (4 cores)",
            memory_mb=8192,
            budget_bytes=1500 * _KB,
        ),
        Profile(
            name="5516",
            device_type="ASA5516",
            hardware="ASA5516, 8192 MB RAM, CPU Atom C2000 series 2416 MHz, 1 CPU (8 cores)",
            memory_mb=8192,
            budget_bytes=1000 * _KB,
        ),
        Profile(
            name="5555",
            device_type="ASA5555",
            hardware="ASA5555, 16384 MB RAM, CPU Lynnfield 2800 MHz, 1 CPU (8 cores)",
            memory_mb=16384,
            budget_bytes=2000 * _KB,
        ),
        Profile(
            name="5585",
            device_type="ASA5585-SSP-60",
            hardware="ASA5585-SSP-60, 24576 MB RAM, CPU Xeon 5600 series 2400 MHz, 2 CPUs",
            memory_mb=24576,
            budget_bytes=2000 * _KB,
        ),
        Profile(
            name="FPR-1010",
            device_type="FPR-1010",
            hardware="FPR-1010, 8192 MB RAM, CPU Atom C3000 series 2200 MHz, 1 CPU (4 cores)",
            memory_mb=8192,
            budget_bytes=0,
            asa_version="9.18(2)",
            agent_version=None,
        ),
    )
}
