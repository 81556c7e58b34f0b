"""
What every command is given.
"""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tscm.faces.backend import Backend
    from tscm.faces.remote import Portal
    from tscm.settings.layout import Layout


class Session:
    """
    One run of `tsadmin`: where the node's files are, and who carries commands out.
    """

    def __init__(self, root: str, portal: "Portal | None" = None) -> None:
        self._root = root
        self._portal = portal

    @property
    def is_remote(self) -> bool:
        """Is another host asked by its API?"""
        return self._portal is not None

    @cached_property
    def layout(self) -> "Layout":
        """The places of the node's files.  Raises `PortalFaulty` where another host is asked."""
        if self._portal is not None:
            from tscm.faces.remote import PortalFaulty

            raise PortalFaulty(
                "this command works on files of its own host; run it there, without --portal"
            )
        from pathlib import Path  # `version` looks at no file

        from tscm.settings.layout import Layout

        return Layout(Path(self._root).absolute())

    def backend(self) -> "Backend":
        """The manager where one runs, else the stored settings; another host's API where one is named."""
        if self._portal is not None:
            from tscm.faces.remote import RemoteBackend

            return RemoteBackend(self._portal)
        from tscm.cli.opening import open_backend  # `version` and `--help` ask no manager
        from tscm.cli.outlasting import OutlastingBackend

        return OutlastingBackend(open_backend(self.layout))
