"""
The edges of the policy rooms: the last value that is taken beside the first that is not.
"""

import pytest

from tscm.policy.cidr import CidrSet
from tscm.policy.in_force import Force, ForceRules, judge_allow
from tscm.policy.names import MessageDamaged, skip_name
from tscm.policy.spelling import parse_cidr


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1.2.3", "3 octets instead of 4"),
        ("1.2.3.256", "octet over 255"),
        ("1.2.3.1000", "octet over 255"),
        ("1.2.3.01", "leading zero"),
        ("0.10.200.255/33", "prefix length over 32"),
        ("0.10.200.255/255.255.255.0", "netmask"),
        ("::1/129", "prefix length over 128"),
        ("::1/", "no whole number from 0 to 128"),
        ("1.2.3.4/-1", "no whole number from 0 to 32"),
        ("fe80::1%eth0", "zone"),
        ("1::2::3", "not an IPv6 address"),
        ("example.net", "is a name"),
        (" 1.2.3.4", "whitespace around it"),
        ("", "is empty"),
        ("1.2.3.4;", "not a CIDR"),
    ],
)
def test_what_is_no_cidr_is_told_by_its_cause(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        parse_cidr(text)


@pytest.mark.parametrize("label", [0x40, 0x80, 0xBF])
@pytest.mark.parametrize("way", ["at once", "behind a pointer"])
def test_a_label_of_an_unknown_type_is_damage(label: int, way: str) -> None:
    message = bytes([1, ord("a"), label, 0, 0xC0, 0])
    with pytest.raises(MessageDamaged, match="unknown label type"):
        skip_name(message, 0 if way == "at once" else 4, {})


def test_a_pointer_leads_backwards_and_the_longest_name_is_taken() -> None:
    label = bytes([63]) + b"a" * 63
    longest = label * 3 + bytes([61]) + b"a" * 61 + b"\0"
    assert len(longest) == 255
    assert skip_name(longest + bytes([0xC0, 0]), 255, {}) == (255, 257)
    with pytest.raises(MessageDamaged, match="over 255 octets"):
        skip_name(longest + bytes([1, ord("b"), 0xC0, 0]), 255, {})
    with pytest.raises(MessageDamaged, match="not point backwards"):
        skip_name(bytes([0xC0, 0]), 0, {})


def test_the_first_allow_list_is_judged_by_its_share_of_the_maximum_alone() -> None:
    one = Force(block=CidrSet.of_texts([]), allow=CidrSet.of_texts(["192.0.2.1"]))
    rules = ForceRules(allow_growth_share=0.0, allow_share=0.0, maximum=10)
    (found,) = judge_allow(None, one, rules)
    assert "would take 1 of 10 entries" in found.sentence
    assert not list(judge_allow(one, one, rules))
