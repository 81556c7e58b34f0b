"""
Files of networks of which the operator knows something, read for the guard and for the cut.

A file that cannot be read is told and left out, except one whose networks must not be blocked:
without it nothing is pushed.
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from attrs import define, frozen

from tscm.errors import ListUnavailable, TscmError
from tscm.policy.cidr import CidrSet
from tscm.policy.feed_formats import Shape
from tscm.policy.guard import WarningList
from tscm.policy.rank import Confident, Hits, Ranking
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import fetch_feed
from tscm.retrieve.stream import Limits
from tscm.settings.networks import NetworksFile

_FILES_KEPT = 8
"""Files whose content stays in memory while they do not change: `tsadmin policy why` is to be quick."""


@define(eq=False)
class NetworksUnreadable(TscmError):
    """
    A file of networks that must not be blocked cannot be read.
    """

    exit_status = 2

    name: str
    file: str
    cause: str

    def __str__(self) -> str:
        return (
            f"cannot read the networks of {self.name}, which must not be blocked, from "
            f"{self.file}: {self.cause}; nothing was changed; correct the file, or remove "
            "it from [[policy.networks]]"
        )


@frozen(kw_only=True, eq=False)
class KnownNetworks:
    """
    What the files say, and what the operator should know of them.
    """

    warning_lists: tuple[WarningList, ...] = ()
    own: CidrSet = CidrSet()
    confidence: tuple[Confident, ...] = ()
    notes: tuple[str, ...] = ()

    def ranking(self, hits: Hits | None) -> Ranking:
        """What decides when a list is cut."""
        return Ranking(own=self.own, hits=hits, confidence=self.confidence)


def known_networks(files: Iterable[NetworksFile]) -> KnownNetworks:
    """
    Read the files; blocks.  Raises `NetworksUnreadable`.
    """
    warning_lists: list[WarningList] = []
    own = CidrSet()
    confidence: list[Confident] = []
    notes: list[str] = []
    for one in files:
        try:
            found = os.stat(one.file)  # noqa: PTH116 - one call gives all of it
            networks, refused = _read(one, (found.st_mtime_ns, found.st_size, found.st_ino))
        except (OSError, ListUnavailable) as error:
            cause = error.strerror or "" if isinstance(error, OSError) else error.cause
            if one.purpose == "refuse":
                raise NetworksUnreadable(one.name, one.file, cause) from None
            notes.append(
                f"cannot read networks of {one.name} from {one.file}, so they are ignored: {cause}"
            )
            continue
        if refused:
            notes.append(f"{one.file}, networks of {one.name}: {refused:,} words are not CIDRs")
        if one.purpose == "own":
            own = own.union(networks)
        elif one.purpose == "confidence":
            confidence.append(Confident(networks=networks, confidence=one.confidence))
        else:
            refuse = one.purpose == "refuse"
            warning_lists.append(WarningList(name=one.name, networks=networks, refuse=refuse))
    return KnownNetworks(
        warning_lists=tuple(warning_lists),
        own=own,
        confidence=tuple(confidence),
        notes=tuple(notes),
    )


@lru_cache(maxsize=_FILES_KEPT)
def _read(one: NetworksFile, stamp: tuple[int, int, int]) -> tuple[CidrSet, int]:  # noqa: ARG001 - of the key
    """The networks, and how many words were none; *stamp* is another when the file is."""
    source = FeedSource(
        name=one.name,
        url=f"file://{quote(one.file)}",
        shape=Shape(format=one.format, pick=one.pick, delimiter=one.delimiter),
        limits=Limits(),
    )
    found = fetch_feed(source, None, 0.0)
    assert found is not None  # nothing was known before
    return CidrSet.of(found.entries), found.refused_count
