"""
A log that is called otherwise: what listeners counted under either name agrees with it.
"""

from pathlib import Path

from tests.spool.spool_room import make_spool, run_of
from tscm.spool.service import SpoolService


def appended(spool: SpoolService, name: str) -> tuple[int, int]:
    """How many lines its log has, and how many of them came under *name* since the process began."""
    spool.open_device(name, 1 << 20)
    figures = spool.figures(name)
    return figures.stored_lines, figures.appended_lines


def test_a_log_that_is_called_otherwise_agrees_with_what_came_under_each_name(
    tmp_path: Path,
) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("old", 1 << 20)
    spool.append("old", [run_of(b"one", b"two", b"three")], 1.0)
    spool.rename_log("old", "new")
    assert spool.stored_lines() == {"new": 3}
    assert appended(spool, "new") == (3, 0)
    spool.append("new", [run_of(b"four")], 2.0)
    assert appended(spool, "new") == (4, 1)

    assert appended(spool, "old") == (0, 3), "another device of the earlier name"
    spool.append("old", [run_of(b"a")], 3.0)
    assert appended(spool, "old") == (1, 4)
    spool.rename_log("old", "third")

    spool.rename_log("new", "old")
    assert appended(spool, "old") == (4, 4), "back under its first name"
    assert appended(spool, "third") == (1, 0)
    spool.rename_log("third", "new")
    spool.rename_log("new", "third")
    assert appended(spool, "third") == (1, 0), "taken back before it was opened"
    spool.stopService()
