"""
What is set for scheduled backups: the table `[backup]` of `tscm.toml`.
"""

from attrs import frozen

from tscm.settings import values
from tscm.settings.schema import setting


@frozen(kw_only=True)
class BackupSettings:
    """`[backup]`: backups at an interval, as `tsadmin backup` makes them."""

    folder: str | None = setting(
        values.optional(values.path),
        None,
        doc="Folder for scheduled backups, such as /var/lib/tscm/backups; none makes none.",
    )
    every_hours: int = setting(values.whole(1, 8760), 24, doc="Interval between two backups.")
    keep: int = setting(
        values.whole(1, 1000), 7, doc="How many backups stay in the folder; older ones are deleted."
    )
    logs: bool = setting(values.yes_no, False, doc="Whether the lines of the logs are included.")
    uploads: bool = setting(
        values.yes_no, False, doc="Whether uploads of the embedded log service are included."
    )
    passphrase_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with the passphrase on its first line; without it the backups "
        "have no secrets.",
    )
