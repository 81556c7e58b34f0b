"""
Which addresses are meant by a target, a severity or a type of threat: what targets hold now.  Blocking.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.user_lists import cidrs_of
from tscm.portal.items import SEVERITY_MOST, THREATS, ItemFaulty, Target
from tscm.portal.resolving import Site
from tscm.portal.site import stored_site
from tscm.portal.sources import kept_entries
from tscm.store.user_lists import UserLists

OPTIONS = ("target", "severity", "threat_type")
_SEVERITY = re.compile(r"([0-9])(?:-([0-9]))?")
_TEXT_MOST = 2000


@frozen(kw_only=True)
class Wanted:
    """
    What of targets is asked for; what is None or empty is not.  All that is asked for must fit.
    """

    names: tuple[str, ...] = ()
    severities: range | None = None
    threats: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Wanted | None":
        """Out of what was typed or sent; None where nothing of it is asked.  Raises `ItemFaulty`."""
        given = {name: str(options.get(name) or "").strip().lower() for name in OPTIONS}
        if not any(given.values()):
            return None
        for name, text in given.items():
            if len(text) > _TEXT_MOST:
                raise ItemFaulty(f"--{name} is longer than {_TEXT_MOST:,} characters")
        threats = tuple(given["threat_type"].replace(",", " ").split())
        for one in threats:
            if one not in THREATS:
                raise ItemFaulty(
                    f"{one[:40]!r} is not a type of threat; allowed: {', '.join(THREATS)}"
                )
        return cls(
            names=tuple(given["target"].replace(",", " ").split()),
            severities=_severities(given["severity"]) if given["severity"] else None,
            threats=threats,
        )

    def fits(self, name: str, target: Target) -> bool:
        """Is this target meant?"""
        return (
            (not self.names or name in self.names)
            and (self.severities is None or target.severity in self.severities)
            and (not self.threats or target.threat in self.threats)
        )


def _severities(text: str) -> range:
    found = _SEVERITY.fullmatch(text)
    low = int(found[1]) if found else 0
    high = low if found is None or found[2] is None else int(found[2])
    if found is None or not low <= high <= SEVERITY_MOST:
        raise ItemFaulty(
            f"{text[:40]!r} is not a severity; allowed: 0 to {SEVERITY_MOST}, or a range such as 3-5"
        )
    return range(low, high + 1)


def networks_meant(database: Path, portal: Path, wanted: Wanted, now: float) -> CidrSet:
    """
    All networks that the targets meant hold now, by feeds and by lists.

    Raises `ItemFaulty` for a name that no target has, `StoreUnusable`.
    """
    site = stored_site(database).site
    for name in wanted.names:
        if name not in site.targets:
            raise ItemFaulty(
                f"there is no target {name[:60]!r}; list them with `tsadmin portal targets`"
            )
    parts = [
        part
        for name, target in site.targets.items()
        if wanted.fits(name, target)
        for part in _parts(database, portal, site, name, now)
    ]
    return CidrSet.of(Entries.joined(parts))


def _parts(database: Path, portal: Path, site: Site, name: str, now: float) -> Iterator[Entries]:
    yield kept_entries(portal / "targets", name)
    for one in site.targets[name].lists:
        if one in site.lists:
            networks, *_ = UserLists(database).networks(one, now)
            yield Entries.of(cidr for network in networks for cidr in cidrs_of(network))
