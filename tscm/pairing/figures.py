"""
How a manager stands with its portals, and a portal with its managers, as alarms and metrics need it.

Times are POSIX seconds.  Light: `tsadmin` reads these too.
"""

from attrs import frozen


@frozen(kw_only=True)
class FollowedPortal:
    """
    A portal that devices of this manager are paired with: *heard_at* is its last answer since the manager started.
    """

    portal: str
    devices: tuple[str, ...] = ()
    heard_at: float | None = None
    fault: str = ""


@frozen(kw_only=True)
class PairedManager:
    """
    A manager that is paired with an entry of this portal, when it asked last, and whether the settings of the
    entry are in force there.
    """

    nickname: str
    manager: str
    seen_at: float
    behind: bool = False
