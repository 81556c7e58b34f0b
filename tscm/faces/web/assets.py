"""
Styles and scripts of the page: read and compressed once, named by their content, kept by browsers for a year.
"""

import gzip
import mimetypes
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Self

from attrs import frozen

_ROUTE = "/static/"
_NAMED = 12
FOR_EVER = "public, max-age=31536000, immutable"


@frozen(kw_only=True)
class Asset:
    """One file, as it is sent."""

    content_type: str
    plain: bytes
    packed: bytes


@frozen(eq=False)
class Assets:
    """
    All of them by the path that a browser asks for, and those paths by the names that templates use.
    """

    by_path: Mapping[str, Asset]
    paths: Mapping[str, str]

    @classmethod
    @cache
    def load(cls) -> Self:
        """Out of the package: some milliseconds, once."""
        by_path, paths = {}, {}
        for one in files("tscm.faces.web").joinpath("static").iterdir():
            if not one.name.endswith((".css", ".js", ".svg")):
                continue
            plain = one.read_bytes()
            stem, _, suffix = one.name.rpartition(".")
            path = f"{_ROUTE}{stem}.{sha256(plain).hexdigest()[:_NAMED]}.{suffix}"
            kind = mimetypes.guess_type(one.name)[0] or "application/octet-stream"
            by_path[path] = Asset(
                content_type=kind if kind.startswith("image/") else f"{kind}; charset=utf-8",
                plain=plain,
                packed=gzip.compress(plain, 9, mtime=0),
            )
            paths[one.name] = path
        return cls(by_path, paths)

    def path(self, name: str) -> str:
        """Where a browser finds the asset of that name."""
        return self.paths[name]
