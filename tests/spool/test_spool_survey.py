"""
What is left of a live text that somebody truncated.
"""

import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tscm.spool.disk import READ, Disk
from tscm.spool.survey import Hole, Survey


def expected(text: bytes, lines: int) -> tuple[Hole | None, bytes]:
    first, last = text.find(b"\0"), text.rfind(b"\0") + 1
    if first < 0:
        return None, b""
    start = text[:first].rfind(b"\n") + 1
    before, behind = text[:first].count(b"\n"), text[last:].count(b"\n")
    return Hole(start, last, before, max(0, lines - before - behind), behind), text[last:]


@given(
    pieces=st.lists(st.sampled_from([b"a line\n", b"ab", b"\n", b"\0", b"\0" * 9]), max_size=12),
    gone=st.integers(0, 5),
    steps=st.lists(st.integers(0, 60), max_size=4),
    chunk=st.integers(1, 20),
)
def test_a_survey_in_pieces_finds_what_one_look_finds(
    pieces: list[bytes], gone: int, steps: list[int], chunk: int
) -> None:
    """*gone*: so many octets are missing at the end of the file."""
    text = b"".join(pieces)
    disk = Disk()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("tscm.spool.survey.CHUNK_BYTES", chunk),
    ):
        path, made = Path(folder) / "text", Path(folder) / "made"
        path.write_bytes(text)
        source = disk.open(path, READ)
        survey = Survey(disk, made, 0, disk.number_of(source), source)
        for size in sorted(min(one, len(text)) for one in steps):
            survey.extend(size)
        survey.extend(len(text) + gone)
        hole, behind = expected(text + b"\0" * gone, 9)
        assert survey.hole(9) == hole
        assert made.read_bytes() == behind
        survey.discard()
        assert list(Path(folder).iterdir()) == [path]
