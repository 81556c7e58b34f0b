"""Source address to device."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.errors import SenderConflict
from tscm.intake.sender_figures import StrangerFigures
from tscm.intake.senders import Relay, SenderTable, normal_address
from tscm.intake.strangers import Strangers


@pytest.fixture
def table() -> SenderTable:
    return SenderTable()


@pytest.mark.parametrize(
    ("given_as", "normal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("ASA.Example.", "asa.example"),
    ],
)
def test_an_address_has_one_spelling(given_as: str, normal: str) -> None:
    assert normal_address(given_as) == normal


@given(st.one_of(st.ip_addresses().map(str), st.text("0123456789.:abf%\0é", max_size=20)))
def test_an_address_is_spelled_as_the_library_spells_it(address: str) -> None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        assert normal_address(address) == address.rstrip(".").lower()
    else:
        assert normal_address(address) == str(getattr(found, "ipv4_mapped", None) or found)


def test_management_address_sources_and_members_stand_for_the_device(table: SenderTable) -> None:
    table.claim("fw1", ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:DB8::1"):
        assert table.device_of(address) == "fw1"
    assert table.device_of("192.0.2.3") is None


def test_two_devices_cannot_have_one_management_address(table: SenderTable) -> None:
    table.claim("fw1", ["192.0.2.1"])
    with pytest.raises(SenderConflict, match="fw1"):
        table.claim("fw2", ["192.0.2.1"])
    with pytest.raises(SenderConflict):
        table.claim("fw2", ["192.0.2.2", "192.0.2.1"])
    table.claim("fw3", ["192.0.2.3", "192.0.2.9"])
    with pytest.raises(SenderConflict):
        table.claim("fw4", ["::ffff:192.0.2.9"])


def test_a_refused_claim_changes_nothing(table: SenderTable) -> None:
    table.claim("fw1", ["192.0.2.1"])
    table.claim("fw2", ["192.0.2.2"])
    with pytest.raises(SenderConflict):
        table.claim("fw2", ["192.0.2.5", "192.0.2.1"])
    assert table.device_of("192.0.2.2") == "fw2"
    assert table.device_of("192.0.2.5") is None


def test_a_new_claim_replaces_the_old_and_release_ends_it(table: SenderTable) -> None:
    table.claim("fw1", ["192.0.2.1", "192.0.2.2"])
    before = table.version
    table.claim("fw1", ["192.0.2.3"])
    assert table.version > before
    assert table.device_of("192.0.2.1") is None
    assert table.device_of("192.0.2.3") == "fw1"
    table.release("fw1")
    table.release("fw1")
    assert table.device_of("192.0.2.3") is None
    table.claim("fw2", ["192.0.2.3"])
    assert table.device_of("192.0.2.3") == "fw2"


def test_behind_a_relay_the_header_tells_the_device(table: SenderTable) -> None:
    table.claim("fw1", ["192.0.2.1", "198.51.100.9"])
    table.claim("fw2", ["edge.example.net", "198.51.100.9", "192.0.2.7"])
    assert table.device_of("198.51.100.9") is None
    relay = table.route_of("198.51.100.9")
    assert isinstance(relay, Relay)
    tag = b" : %ASA-6-106100: x"
    stamp = b"<166>Jan  5 2026 08:52:35 "
    assert relay.device_of(stamp + b"192.0.2.1" + tag) == "fw1"
    assert relay.device_of(stamp + b"FW1" + tag) == "fw1"
    assert relay.device_of(stamp + b"edge" + tag) == "fw2"
    assert relay.device_of(stamp + b"edge.example.net" + tag) == "fw2"
    assert relay.device_of(stamp + b"192.0.2.7" + tag) == "fw2"
    assert relay.device_of(b"<166>Jan  5 08:52:35 192.0.2.7 Jan  5 2026 08:52:35: %ASA-6-1: x") == (
        "fw2"
    )
    for nobody in (b"stranger", b"198.51.100.9", b"../../etc/cron.d/x", b"\xff\xfe"):
        assert relay.device_of(stamp + nobody + tag) is None
    assert relay.device_of(b"") is None


def test_of_the_devices_that_a_full_domain_name_begins_with_the_longest_counts(
    table: SenderTable,
) -> None:
    relay = Relay({"fw1": "fw1", "fw1.dc2": "fw1.dc2", "edge.dc1": "edge.dc1", "192.0.2.1": "fw3"})
    for name, device in (
        (b"fw1.example.net", "fw1"),
        (b"fw1.dc2.example.net.", "fw1.dc2"),
        (b"EDGE.DC1.example.net", "edge.dc1"),
        (b"edge.example.net", None),
        (b"edge.dc1" + b".a" * 100, "edge.dc1"),
        (b"192.0.2.10", None),
    ):
        assert relay.device_of(b"<166>Jan  5 08:52:35 " + name + b" : %ASA-6-1: x") == device


def test_names_stand_for_what_was_resolved_last(table: SenderTable) -> None:
    asked = []
    table.when_named = lambda: asked.append(table.names)
    table.claim("fw1", ["asa.example"])
    assert asked == [frozenset({"asa.example"})]
    assert table.device_of("192.0.2.1") is None
    table.resolved("asa.example", ["192.0.2.1", "::ffff:192.0.2.2"])
    assert table.device_of("192.0.2.1") == "fw1"
    assert table.device_of("192.0.2.2") == "fw1"
    table.resolved("asa.example", ["192.0.2.3"])
    assert table.device_of("192.0.2.1") is None
    assert table.figures().names == {"asa.example": ("192.0.2.3",)}
    table.release("fw1")
    assert table.device_of("192.0.2.3") is None


def test_names_that_meet_at_one_address_make_it_a_relay(table: SenderTable) -> None:
    table.claim("fw1", ["a.example"])
    table.claim("fw2", ["b.example"])
    table.resolved("a.example", ["192.0.2.1"])
    table.resolved("b.example", ["192.0.2.1"])
    relay = table.route_of("192.0.2.1")
    assert isinstance(relay, Relay)
    assert relay.device_of(b"<1>Jan  5 2026 08:52:35 a : %ASA-6-1: x") == "fw1"
    assert relay.device_of(b"<1>Jan  5 2026 08:52:35 192.0.2.1 : %ASA-6-1: x") is None


def test_strangers_are_counted_with_a_harmless_sample(table: SenderTable) -> None:
    table.strangers.note("192.0.2.66", 3, b"<1>\x1b[31mred \xe2\x80\xae\nsecond\n", 100.0)
    table.strangers.note("192.0.2.66", 2, b"", 160.0)
    table.strangers.note("192.0.2.67", 1, b"newer", 150.0)
    assert table.unknown() == [
        StrangerFigures(
            address="192.0.2.66",
            lines=5,
            first_seen_at=100.0,
            last_seen_at=160.0,
            sample="<1>\\x1b[31mred \\xe2\\x80\\xae",
        ),
        StrangerFigures(
            address="192.0.2.67",
            lines=1,
            first_seen_at=150.0,
            last_seen_at=150.0,
            sample="newer",
        ),
    ]
    table.claim("fw1", ["192.0.2.66"])
    assert [one.address for one in table.unknown()] == ["192.0.2.67"]


def test_a_flood_of_forged_sources_pushes_nobody_out() -> None:
    strangers = Strangers(max_senders=10)
    strangers.note("192.0.2.1", 1, b"real", 0.0)
    for n in range(1000):
        strangers.note(f"198.51.100.{n}", 1, b"x" * 9000, 1.0)
    assert len(strangers) == 10
    assert strangers.uncounted_lines == 991
    assert strangers.lines == 1001
    assert "192.0.2.1" in {one.address for one in strangers.shown()}
    strangers.note("203.0.113.1", 1, b"later", 90_000.0)
    assert {one.address for one in strangers.shown()} == {"203.0.113.1"}


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fw1", "fw2", "fw3"]),
            st.lists(
                st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "n.example"]), max_size=3
            ),
        ),
        max_size=12,
    )
)
def test_the_table_says_what_the_claims_say(moves: list[tuple[str, list[str]]]) -> None:
    table = SenderTable()
    claims: dict[str, list[str]] = {}
    for device, addresses in moves:
        if not addresses:
            table.release(device)
            claims.pop(device, None)
            continue
        try:
            table.claim(device, addresses)
        except SenderConflict:
            continue
        claims[device] = addresses
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        owners = {device for device, wanted in claims.items() if address in wanted}
        managers = {device for device, wanted in claims.items() if wanted[0] == address}
        assert len(managers) <= 1
        assert not managers or owners == managers
        route = table.route_of(address)
        assert (
            (table.device_of(address) in owners)
            if len(owners) == 1
            else (isinstance(route, Relay) if owners else route is None)
        )
