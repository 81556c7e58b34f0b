"""
Targets that have not been fetched for several intervals are told.
"""

import pytest

from tscm.manager.late_targets import late_targets
from tscm.portal.items import Target, read_item
from tscm.portal.publishing import Published
from tscm.portal.resolving import Site
from tscm.portal.sources import TargetState

NOW, HOUR = 1_700_000_000.0, 3600.0
FEED = [{"name": "f", "url": "https://x.example/f"}]


def told(state: TargetState, **fields: object) -> list[str]:
    target = read_item(Target, {"interval_seconds": 3600, "feeds": FEED, **fields}, "t")
    published = Published(site=Site(targets={"drop": target}), targets={"drop": state})
    return [one.sentence for one in late_targets(published, NOW)]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (TargetState(good_at=NOW - 4 * HOUR, tried_at=NOW, fault="no route"), "target drop was last fetched 4 h ago: no route"),
        (TargetState(tried_at=NOW - HOUR, fault="it is empty"), "target drop has never been fetched: it is empty"),
        (TargetState(good_at=NOW - 2 * HOUR, tried_at=NOW, fault="no route"), None),
        (TargetState(good_at=NOW - 40 * HOUR, tried_at=NOW), None),
        (TargetState(), None),
    ],
)  # fmt: skip
def test_what_fails_for_three_intervals_is_late(state: TargetState, sentence: str | None) -> None:
    assert told(state) == ([] if sentence is None else [sentence])


def test_a_target_of_lists_alone_is_never_late() -> None:
    state = TargetState(good_at=NOW - 40 * HOUR, tried_at=NOW, fault="x")
    assert told(state, feeds=[], lists=["own-block"]) == []
