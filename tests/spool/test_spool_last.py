"""
Lines before the live segment, from the end on.
"""

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.spool import tools_last


class Text:
    """A text that gives at most a few bytes at once, as a compressed one may."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, at: int) -> bytes:
        return self.data[at : at + min(size, 3)]

    def close(self) -> None:
        """Nothing is open."""


@given(st.lists(st.binary(max_size=9).map(lambda one: one.replace(b"\n", b"")), max_size=12))
@settings(deadline=None)
def test_blocks_from_the_end_are_whole_lines_and_leave_nothing_out(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    with mock.patch.object(tools_last, "CHUNK_BYTES", 5):
        blocks = list(tools_last._lines_back(Text(data), len(data)))
    assert b"".join(block for _, block in reversed(blocks)) == data
    assert all(block.endswith(b"\n") for _, block in blocks if block)
    assert all(data[at : at + len(block)] == block for at, block in blocks)
