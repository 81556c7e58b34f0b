"""
What a simulated firewall is started with.
"""

from pathlib import Path

from attrs import field, frozen

from tscm.simulator.outlets import Target
from tscm.simulator.reach import Network


@frozen(kw_only=True)
class AsaOptions:
    """
    What a simulated firewall is started with; port 0 lets the kernel choose.
    """

    username: str = "admin"
    password: str = field(default="cisco", repr=False)
    hostname: str = "ciscoasa"
    profile: str = "ASAv10"
    contexts: tuple[str, ...] = ()
    """Security contexts beside `admin`; given, the firewall is in multiple context mode."""
    serial: str | None = None
    """Its serial number; None: one of its own, drawn at the start."""
    https: tuple[str, int] = ("127.0.0.1", 0)
    standby_https: tuple[str, int] | None = None
    """Address of the standby unit's REST API; given, the firewall is one of a failover pair."""
    control: tuple[str, int] | None = None
    """Loopback address of the control port; None: no control port."""
    ssh: tuple[str, int] | None = None
    """Address of the command line over SSH, which needs `twisted[conch]`; None: no SSH."""
    syslog: tuple[Target, ...] = ()
    """Collectors that it is configured with from the start, wherever they are."""
    syslog_networks: tuple[Network, ...] = ()
    """Networks that a typed `logging host` is followed to, besides this machine's addresses."""
    source_address: str = ""
    """Address that syslog comes from, so that several firewalls on 127.0.0.0/8 differ."""
    standby_source_address: str = ""
    """The other unit's: with `logging standby` each line goes out from it too."""
    header: str = "timestamp"
    """One of `tscm.simulator.syslog_form.HEADERS`."""
    config_lines: tuple[str, ...] = ()
    """Typed over the factory's lines before the device starts, and saved."""
    folder: Path | None = None
    """Where the certificate is written; None: a temporary folder that goes with the service."""
