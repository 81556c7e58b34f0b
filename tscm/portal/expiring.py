"""
Entries that end while the lists of their policy otherwise stay as they were published.  Blocking.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tscm.policy.cidr import Entries
from tscm.portal.leaving import Leaving
from tscm.portal.published_files import digest, file_mark, published_file, write_list
from tscm.store.portal_items import PortalItems
from tscm.store.user_list_values import Who

PUBLISHER = "the manager"


def leaving_of(before: Mapping[str, Any]) -> dict[str, Leaving]:
    """What was noted of a policy that leaves its two lists by time."""
    told = before.get("leaving") or {}
    return {kind: Leaving.of_json(told.get(kind)) for kind in ("block", "allow")}


def without_expired(
    database: Path, portal: Path, name: str, before: Mapping[str, Any], now: float
) -> tuple[Mapping[str, Any], list[str]]:
    """
    Take what has ended off the lists of a policy that otherwise stay as they were published.

    Gives what is noted of it now, and the lists that were written.  The last entries of a block list stay.
    """
    leaving, names = leaving_of(before), [str(one) for one in before.get("names", ())]
    if len(names) != 2 or not any(one.is_due(now) for one in leaving.values()):
        return before, []
    content, changed = dict(before), []
    try:
        for (kind, one), published in zip(leaving.items(), names, strict=True):
            if not one.is_due(now):
                continue
            lines = published_file(portal, published).read_text("ascii").splitlines()
            present = Entries.of(line for line in lines if not line.startswith("#"))
            left = one.taken_off(present, now)
            if kind == "block" and not len(left):
                continue
            leaving[kind] = one.later(now)
            if write_list(portal, published, left, f"{kind} list of policy {name}"):
                changed.append(published)
            content |= {kind: len(left), f"{kind}_digest": digest(left)}
    except (OSError, ValueError):  # as it is without a confirmation; the next look tries again
        return before, changed
    content["files"] = [file_mark(published_file(portal, one)) for one in names]
    content["leaving"] = {kind: one.as_json() for kind, one in leaving.items()}
    if changed:
        content["at"] = now
    if content != before:
        PortalItems(database).keep(
            "published", name, content, Who(name=PUBLISHER, at=now), version=None
        )
    return content, changed
