"""
Who makes room for a new connection.
"""

from tscm.base.http_places import Held, Room, room_for


def held(*words: str) -> list[Held[int]]:
    """`a` is a half request of peer a, `A` a whole one."""
    return [Held(n, word.lower(), word.isupper()) for n, word in enumerate(words)]


def test_where_there_is_a_place_nobody_leaves() -> None:
    assert room_for("a", held("a", "A"), 3, 3) == Room(free=True)


def test_a_peer_at_its_own_bound_loses_its_oldest_half_request() -> None:
    assert room_for("a", held("b", "A", "a", "a"), 9, 3) == Room(free=True, leaves=2)
    assert room_for("a", held("b", "A", "A", "A"), 9, 3) == Room(free=False)


def test_at_the_bound_of_all_the_peer_with_the_most_half_requests_loses_one() -> None:
    assert room_for("c", held("b", "a", "A", "a"), 4, 4) == Room(free=True, leaves=1)
    assert room_for("c", held("B", "A"), 2, 2) == Room(free=False)


def test_a_peer_without_a_name_has_no_bound_of_its_own() -> None:
    assert room_for("", [Held(n, "", whole=True) for n in range(3)], 4, 1) == Room(free=True)
