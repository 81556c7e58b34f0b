"""
Bounds of the pure readers of answers and lists, each at its edge.
"""

import numpy as np
import pytest

from tscm.policy.records import Record, Section, Table


def test_records_of_a_type_are_found_among_few_and_many() -> None:
    def section(count: int) -> Section:
        rows = np.zeros((count, len(Record._fields)), np.uint32)
        rows[::2, Record._fields.index("type")] = 6
        return Section(rows.tobytes())

    assert section(5).where(6) == [0, 2, 4]
    assert section(5000).where(6) == list(range(0, 5000, 2))


@pytest.mark.parametrize(("flags", "truncated"), [(0x8400, False), (0x8600, True)])
def test_a_truncated_message_is_known_by_its_flag(flags: int, *, truncated: bool) -> None:
    none = Section(b"")
    table = Table(
        message=b"",
        id=1,
        flags=flags,
        question=None,
        answers=none,
        authorities=none,
        additionals=none,
    )
    assert table.truncated is truncated
