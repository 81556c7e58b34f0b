"""
The rules that raise alarms: their names, and what holds for each unless the settings say otherwise.

Light: `tsadmin` reads the names.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen

CHANNELS = ("mail", "webhook", "syslog")
"""Ways on which alarms are sent."""
SEVERITIES = ("warning", "failed")


class Rule(StrEnum):
    """What an alarm is about: the first part of its name."""

    DEVICE_FAILED = "device_failed"
    POLICY_AGE = "policy_age"
    NO_LINES = "no_lines"
    UPDATE_REJECTED = "update_rejected"
    LOCKED_OUT = "locked_out"
    UNTRUSTED_DEVICE = "untrusted_device"
    REJECTED_BATCH = "rejected_batch"
    LEDGER = "ledger"
    DISK = "disk"
    DATABASE = "database"
    SETTINGS = "settings"
    BACKUP = "backup"
    TARGET_AGE = "target_age"
    PORTAL_AWAY = "portal_away"
    MANAGER_AWAY = "manager_away"
    CERTIFICATE = "certificate"
    KERNEL_DROPS = "kernel_drops"
    UNKNOWN_SENDER = "unknown_sender"
    LOGIN_FAILURES = "login_failures"
    LIST_HITS = "list_hits"
    HOST_HITS = "host_hits"


@frozen(kw_only=True)
class RuleDefault:
    """What holds for a rule without a table of its own.  *bound* is None where the rule has none."""

    about: str
    after_minutes: float = 0.0
    bound: float | None = None
    unit: str = ""


DEFAULTS: Mapping[Rule, RuleDefault] = {
    Rule.DEVICE_FAILED: RuleDefault(
        about="a device is `failed` in `tsadmin status`", after_minutes=15
    ),
    Rule.POLICY_AGE: RuleDefault(
        about="the last successful update of a device is older than the bound",
        bound=3,
        unit="hours",
    ),
    Rule.NO_LINES: RuleDefault(
        about="a device that has sent lines sends none for longer than the bound",
        bound=60,
        unit="minutes",
    ),
    Rule.UPDATE_REJECTED: RuleDefault(about="the guard rejected the last update of a device"),
    Rule.LOCKED_OUT: RuleDefault(about="a device rejected the password too often"),
    Rule.UNTRUSTED_DEVICE: RuleDefault(
        about="the certificate or host key of a device is not the trusted one, or has changed"
    ),
    Rule.REJECTED_BATCH: RuleDefault(about="the log service rejected a batch of a device"),
    Rule.LEDGER: RuleDefault(about="the ledger does not balance, or cannot be written"),
    Rule.DISK: RuleDefault(
        about="the free space of a file system of the manager is below the bound",
        after_minutes=2,
        bound=10,
        unit="percent",
    ),
    Rule.DATABASE: RuleDefault(about="the database cannot be used", after_minutes=1),
    Rule.SETTINGS: RuleDefault(about="a settings file is not in force", after_minutes=5),
    Rule.BACKUP: RuleDefault(about="the scheduled backup failed"),
    Rule.TARGET_AGE: RuleDefault(
        about="the feeds of a target were not fetched for three intervals", after_minutes=15
    ),
    Rule.PORTAL_AWAY: RuleDefault(
        about="the portal that devices are paired with has not answered for longer than the bound",
        bound=10,
        unit="minutes",
    ),
    Rule.MANAGER_AWAY: RuleDefault(
        about="a manager that is paired with this portal has not asked for longer than the bound",
        bound=10,
        unit="minutes",
    ),
    Rule.CERTIFICATE: RuleDefault(
        about="a certificate of the manager expires sooner than the bound", bound=30, unit="days"
    ),
    Rule.KERNEL_DROPS: RuleDefault(
        about="the kernel drops more datagrams than the bound within 15 minutes",
        bound=0,
        unit="datagrams",
    ),
    Rule.UNKNOWN_SENDER: RuleDefault(
        about="an address that belongs to no device sent more lines than the bound",
        bound=10,
        unit="lines",
    ),
    Rule.LOGIN_FAILURES: RuleDefault(
        about="more logins to the page fail than the bound within 15 minutes",
        bound=20,
        unit="logins",
    ),
    Rule.LIST_HITS: RuleDefault(about="a list of `[[alarms.hits]]` has more hits than its bound"),
    Rule.HOST_HITS: RuleDefault(
        about="an inside host has more hits than the bound of `[[alarms.hits]]`"
    ),
}
