"""
One feed: the place that has it, how it is read, and who asks for it.
"""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from attrs import field, frozen

from tscm.base.server_addresses import PermittedServers
from tscm.policy.feed_formats import Shape
from tscm.retrieve.stream import Limits


@frozen(kw_only=True)
class FeedSource:
    """
    One list by name and the one place that has it: `https://…` or `file:///…`.
    """

    name: str
    url: str
    shape: Shape = field(factory=Shape)
    ca_file: str | None = None
    header: str | None = None
    """The header that carries the secret; without one the secret is the password of *user*."""
    user: str | None = None
    secret_file: str | None = None
    secret_place: str | None = None
    """What is bound into the sealed secret; None: the feed's name."""
    key_setting: str = "secret_file"
    """What a fault says is to be checked."""
    permitted: PermittedServers | None = None
    """Servers that may be asked, where the user who named the URL may not have them all asked."""
    least_interval: float = 0.0
    """Seconds between two questions, of all devices together."""
    limits: Limits = field(factory=Limits)

    @property
    def key(self) -> str:
        """The place, whose word is taken for it, and who asks, as a digest; nothing of a secret."""
        who = (self.header, self.user, self.secret_file, _state_of(self.secret_file))
        pages = ("pages",) if self.shape.format == "taxii" else ()
        place = (self.url, self.ca_file, *pages, *(who if self.secret_file else ()))
        return hashlib.sha256(repr(place).encode()).hexdigest()[:32]

    @property
    def shown(self) -> str:
        """The URL as it may be told: without its query."""
        return urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))


def _state_of(path: str | None) -> tuple[int, int] | None:
    """Another one when the file was written: with a new key its publisher may be asked at once."""
    try:
        found = None if path is None else Path(path).stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino)
