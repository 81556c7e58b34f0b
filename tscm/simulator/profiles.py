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
    ssh: str = "modern"
    """What its SSH offers from the start, one of the positions of the switch `ssh_algorithms`."""


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
        Profile(
            name="5510-8.4",
            device_type="ASA5510",
            hardware="ASA5510, 1024 MB RAM, CPU Pentium 4 Celeron 1600 MHz",
            memory_mb=1024,
            budget_bytes=0,
            asa_version="8.4(7)31",
            agent_version=None,
            ssh="8.4",
        ),
        Profile(
            name="5512-9.4",
            device_type="ASA5512",
            hardware="ASA5512, 4096 MB RAM, CPU Clarkdale 2793 MHz, 1 CPU (2 cores)",
            memory_mb=4096,
            budget_bytes=500 * _KB,
            asa_version="9.4(3)12",
            agent_version="1.3.2-346",
            ssh="9.4",
        ),
        Profile(
            name="5516-9.12",
            device_type="ASA5516",
            hardware="ASA5516, 8192 MB RAM, CPU Atom C2000 series 2416 MHz, 1 CPU (8 cores)",
            memory_mb=8192,
            budget_bytes=1000 * _KB,
            asa_version="9.12(4)67",
            ssh="9.12",
        ),
        Profile(
            name="ASAv30-9.16",
            device_type="ASAv",
            hardware="ASAv30, 8192 MB RAM, CPU Xeon E5 series 2000 MHz, 4 CPUs (4 cores)",
            memory_mb=8192,
            budget_bytes=1500 * _KB,
            asa_version="9.16(4)19",
            agent_version="7.16.1.75",
            ssh="9.16",
        ),
    )
}
