"""
What a record gives to the list, string by string.
"""

from tests.policy.test_policy_exceptions import collected, name
from tscm.policy.records import TXT


def strings(*texts: str) -> bytes:
    """The data of one TXT record."""
    return b"".join(bytes([len(text)]) + text.encode() for text in texts)


def test_a_network_in_several_words_is_refused_and_the_next_string_is_read() -> None:
    data = strings("203.0.113.0 255.255.255.0", "198.51.100.0/24 192.0.2.7")
    found = collected((name("l.example"), TXT, data))
    assert [str(one) for one in found.entries.cidrs()] == ["198.51.100.0/24", "192.0.2.7/32"]
    assert found.refused_count == 1
    assert [(one.entry, one.cause) for one in found.refused] == [
        ("203.0.113.0 255.255.255.0", "a network in several words")
    ]
