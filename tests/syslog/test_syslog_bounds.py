"""
Bounds of the pure readers of messages, each at its edge.
"""

import pytest

from tscm.syslog.asa_ends import port_number
from tscm.syslog.framing_octets import OctetDecoder
from tscm.syslog.framing_start import MAX_FRAME


@pytest.mark.parametrize(("word", "number"), [("65535", 65535), ("65536", None), ("0", 0)])
def test_a_port_is_at_most_65535(word: str, number: int | None) -> None:
    assert port_number(word) == number


@pytest.mark.parametrize(("length", "faults"), [(MAX_FRAME, 0), (MAX_FRAME + 1, 1)])
def test_the_longest_frame_is_read_and_a_longer_one_is_a_fault(length: int, faults: int) -> None:
    decoder = OctetDecoder(100)
    decoder.feed(b"%d x" % length)
    assert decoder.faults == faults
