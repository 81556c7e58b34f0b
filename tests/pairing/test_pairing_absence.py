"""
Which portal has not answered, and which manager has not asked: out of what both sides keep.
"""

from attrs import evolve

from tests.pairing.test_pairing_follower import BOND
from tscm.pairing.absence import followed_portals, paired_managers
from tscm.pairing.figures import FollowedPortal, PairedManager
from tscm.pairing.following import Heard
from tscm.pairing.messages import Standing
from tscm.pairing.seen import Seen
from tscm.pairing.stages import Pairing, ended
from tscm.services.entries import PortalEntry

ENTRY = PortalEntry(
    nickname="east", device_id="tdid_east", block_list="b.example", allow_list="a.example",
    address="192.0.2.1",
)  # fmt: skip
PAIRED = Pairing(device_id="tdid_east", token="00", manager="m1", paired_at=100.0, version=7)


def test_a_portal_is_heard_by_any_of_its_devices() -> None:
    other = evolve(BOND, portal="https://other.example")
    found = followed_portals(
        {
            "one": (BOND, Heard(heard_at=5.0)),
            "two": (BOND, Heard(heard_at=9.0, fault="late")),
            "far": (other, Heard()),
        }
    )
    assert found == (
        FollowedPortal(portal="https://other.example", devices=("far",)),
        FollowedPortal(portal=BOND.portal, devices=("one", "two"), heard_at=9.0, fault="late"),
    )


def test_a_manager_counts_while_it_is_paired_and_from_then_on() -> None:
    def rows(pairing: Pairing, *seen: Seen) -> list[PairedManager]:
        told = dict.fromkeys(["tdid_east"], seen[-1]) if seen else {}
        return list(paired_managers([ENTRY], {"tdid_east": pairing}, told, 1000.0))

    one = PairedManager(nickname="east", manager="m1", seen_at=100.0)
    assert rows(PAIRED) == [one]
    assert rows(PAIRED, Seen(at=90.0)) == [one]  # the one before it
    assert rows(PAIRED, Seen(at=500.0, standing=Standing(applied=7))) == [
        evolve(one, seen_at=500.0)
    ]
    assert rows(PAIRED, Seen(at=500.0, standing=Standing(applied=6)))[0].behind
    assert rows(ended(PAIRED, "root", 900.0)) == []
    assert rows(Pairing(device_id="tdid_east")) == []
