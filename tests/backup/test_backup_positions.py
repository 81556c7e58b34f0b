"""
A log without its text: offsets and counts go on where they were.
"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tscm.backup.positions import position_files
from tscm.spool.catalogue import DELETED, LOST, Segment
from tscm.spool.cursor import Cursor
from tscm.spool.names import LogFolder
from tscm.spool.state import NOT_RESTORED, LogState, decode_state
from tscm.spool.tools_list import Listed, LogView

SIZE = 10  # bytes a line


def view(sealed: list[int], live: int, deleted: int) -> LogView:
    """A log of sealed segments of so many lines, the oldest *deleted* of them gone by age."""
    records, start, before = [], 0, 0
    state = LogState()
    for number, lines in enumerate(sealed):
        one = Segment(start, lines * SIZE, before, lines, 1.0, 2.0)
        if number < deleted:
            one = one.deleted(0)
            state = state.with_deleted("age", lines, lines * SIZE)
        records.append(one)
        start, before = one.end, one.lines_end
    return LogView(
        name="fw",
        folder=LogFolder(Path("/nowhere/fw")),
        records=tuple(records),
        bad_records=(),
        loose_bytes=0,
        live_bytes=live * SIZE,
        live_lines=live,
        live_index=None,
        cursors={},
        state=state,
        names=(),
        spool_names=(),
    )


@given(
    st.lists(st.integers(1, 50), max_size=6),
    st.integers(0, 50),
    st.integers(0, 6),
    st.dictionaries(st.sampled_from(["upload", "events", "forward"]), st.integers(0, 400)),
)
def test_every_line_is_accounted_for(
    sealed: list[int], live: int, deleted: int, places: dict[str, int]
) -> None:
    of = view(sealed, live, deleted)
    cursors = {
        name: Cursor(1, min(at, of.lines) * SIZE, min(at, of.lines)) for name, at in places.items()
    }
    state_bytes, list_bytes = position_files(of, cursors)
    state = decode_state(state_bytes)
    listed = Listed()
    listed.take(list_bytes)
    records = listed.records
    assert state is not None
    assert not listed.bad
    assert not listed.loose
    assert state.live == of.end == (records[-1].end if records else 0)
    assert state.lines_before == of.lines == (records[-1].lines_end if records else 0)
    assert sum(state.deleted_lines.values()) == of.lines
    assert sum(state.deleted_bytes.values()) == of.end
    assert all(one.gone for one in records)
    lost = sum(one.lines for one in records if one.flags & LOST)
    slowest = min((one.passed for one in cursors.values()), default=of.lines)
    assert lost == of.lines - slowest
    assert state.deleted_lines.get("lost", 0) <= lost
    assert state.deleted_lines.get("age", 0) == sum(sealed[:deleted])


def test_what_was_read_is_not_restored_and_the_rest_is_lost() -> None:
    of = view([10, 10], 5, 1)
    state_bytes, list_bytes = position_files(of, {"upload": Cursor(1, 180, 18)})
    state = decode_state(state_bytes)
    assert state is not None
    assert state.deleted_lines == {"age": 10, NOT_RESTORED: 8, "lost": 7}
    listed = Listed()
    listed.take(list_bytes)
    first, second = listed.records
    assert first.flags & DELETED
    assert second.flags & LOST
    assert (first.size, second.size) == (180, 70)
