"""
Settings of the policy: where lists come from, and what the guard accepts.
"""

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.feed import Feed, feeds
from tscm.settings.networks import NetworksFile, networks_files
from tscm.settings.schema import setting


@frozen(kw_only=True)
class PolicySettings:
    """`[policy]`: where lists come from, and what the guard lets through."""

    servers: tuple[HostPort, ...] = setting(
        values.many(values.host_port),
        (),
        doc="Policy servers in order of preference, address[:port].",
    )
    notify: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses (UDP) at which policy servers say that a list has changed (NOTIFY).",
    )
    feeds: tuple[Feed, ...] = setting(
        feeds, (), doc="Lists fetched from files or over HTTPS instead, [[policy.feeds]]."
    )
    interval_seconds: int = setting(
        values.whole(60, 86400 * 7), 3600, doc="Interval between policy updates of a device."
    )
    timeout_seconds: float = setting(
        values.number(1, 600),
        30.0,
        doc="Timeout for connecting to a policy server, and for an idle connection to it.",
    )
    max_list_entries: int = setting(
        values.whole(1, 10_000_000),
        1_000_000,
        doc="Maximum list length; a longer list is rejected as a whole.",
    )
    max_shrink_percent: int = setting(
        values.whole(0, 100),
        50,
        doc=(
            "Shrinkage, in percent, of a list or of the block entries in force, above which "
            "--accept_shrink is required."
        ),
    )
    min_readable_percent: int = setting(
        values.whole(0, 100),
        95,
        doc=(
            "Share of readable entries, in percent, below which a list requires "
            "--accept_shrink, if more than 5 are unreadable."
        ),
    )
    shrink_days: int = setting(
        values.whole(1, 90),
        7,
        doc="Days over which block entries in force must not shrink by more than that, even slowly.",
    )
    max_growth_percent: int | None = setting(
        values.optional(values.whole(1, 1_000_000)),
        None,
        doc=(
            "Growth of a list above which --accept_growth is required; without a number, any "
            "growth is accepted."
        ),
    )
    max_allow_growth_percent: int | None = setting(
        values.optional(values.whole(1, 1_000_000)),
        100,
        doc=(
            "Growth of an allow list above which --accept_allow is required, if it is more "
            "than 50 entries."
        ),
    )
    max_allow_percent: int = setting(
        values.whole(0, 100),
        50,
        doc="Share of Max Policy Size above which a growing allow list requires --accept_allow.",
    )
    widest_ipv4: int = setting(
        values.whole(0, 32), 8, doc="Widest IPv4 entry accepted, as a prefix length."
    )
    widest_ipv6: int = setting(
        values.whole(0, 128), 19, doc="Widest IPv6 entry accepted, as a prefix length."
    )
    allow_special: bool = setting(
        values.yes_no,
        False,
        doc="Accept private, loopback, link-local, multicast and documentation space.",
    )
    protect: tuple[str, ...] = setting(
        values.many(values.address),
        (),
        doc="Additional addresses that a block list must not cover.",
    )
    unknown_names: str = setting(
        values.choice("hold", "warn"),
        "hold",
        doc=(
            "While a name that must not be blocked has no known address: new block entries "
            "wait, or only a warning is given."
        ),
    )
    entry_hours: int | None = setting(
        values.optional(values.whole(1, 87600)),
        None,
        doc="How long an entry by hand lasts without --for; without a number, until it is removed.",
    )
    confirm_changes_percent: int | None = setting(
        values.optional(values.whole(0, 100)),
        None,
        doc=(
            "Number of changed entries above which `update` at a terminal asks for "
            "confirmation; without a number, never."
        ),
    )
    networks: tuple[NetworksFile, ...] = setting(
        networks_files,
        (),
        doc=(
            "Files of known-good networks, of own networks, or of networks of a source, "
            "[[policy.networks]]."
        ),
    )
    retry_seconds: float = setting(
        values.number(0, 3600),
        60.0,
        doc=(
            "First retry delay after a device fails during an update; it doubles up to the "
            "fifth failure."
        ),
    )
    parallel_updates: int = setting(
        values.whole(1, 64), 4, doc="Maximum number of devices updated at the same time."
    )
    save_config: bool = setting(
        values.yes_no, True, doc="Save the device's configuration after an update that changed it."
    )
