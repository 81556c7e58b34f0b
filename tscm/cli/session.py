"""
What every command is given.
"""

from typing import TYPE_CHECKING

from attrs import frozen

from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tscm.faces.backend import Backend


@frozen
class Session:
    """
    One run of `tsadmin`: where the node's files are, and who carries commands out.
    """

    layout: Layout

    def backend(self) -> "Backend":
        """The manager where one runs, else the stored settings."""
        from tscm.cli.opening import open_backend  # `version` and `--help` ask nobody
        from tscm.cli.streams import OutlastingBackend

        return OutlastingBackend(open_backend(self.layout))
