"""
What every command is given.
"""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tscm.faces.backend import Backend
    from tscm.settings.layout import Layout


class Session:
    """
    One run of `tsadmin`: where the node's files are, and who carries commands out.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @cached_property
    def layout(self) -> "Layout":
        """The places of the node's files."""
        from pathlib import Path  # `version` looks at no file

        from tscm.settings.layout import Layout

        return Layout(Path(self._root).absolute())

    def backend(self) -> "Backend":
        """The manager where one runs, else the stored settings."""
        from tscm.cli.opening import open_backend  # `version` and `--help` ask nobody
        from tscm.cli.outlasting import OutlastingBackend

        return OutlastingBackend(open_backend(self.layout))
