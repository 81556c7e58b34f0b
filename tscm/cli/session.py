"""
What every command is given.
"""

from attrs import frozen

from tscm.cli.opening import open_backend
from tscm.cli.streams import OutlastingBackend
from tscm.faces.backend import Backend
from tscm.settings.layout import Layout


@frozen
class Session:
    """
    One run of `tsadmin`: where the node's files are, and who carries commands out.
    """

    layout: Layout

    def backend(self) -> Backend:
        """The manager where one runs, else the stored settings."""
        return OutlastingBackend(open_backend(self.layout))
