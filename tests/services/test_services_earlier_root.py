"""
A root of the first version with a portal: its entries, key digests, lists and serials are taken as they lie.
"""

import json
from pathlib import Path

import pytest

from tscm.services import zone_files
from tscm.services.entries import add_entry, entries
from tscm.services.zone_files import _State, look_at_lists, raise_serials

NOW, SERIAL = 1_700_086_400.0, 1_700_000_000
KEY = "e5131ac3782f6c3192d3e7b9546d0b177d436a10294ae1879f6d47c1450373b1"
BLOCK, ALLOW = "block.edge.tscm.internal", "allow.edge.tscm.internal"
FILES = {
    "entries/edge.toml": (
        'device_id = "tdid_b6239c974def6e7d"\nblock_list = "block.edge.tscm.internal"\n'
        'allow_list = "allow.edge.tscm.internal"\naddress = "192.0.2.1"\nnote = "rack 4"\n'
        'device_key_sha256 = "ce5be21d1391e4bef2ae2a642f953eb4b209c3135e2ce8058758364f9b6129a8"\n'
    ),
    "entries/far.toml": (
        'device_id = "tdid_9b09313007ae99f4"\nblock_list = "block.far.tscm.internal"\n'
        'allow_list = "allow.far.tscm.internal"\ndomain = "far.example"\nnote = ""\n'
        'device_key_sha256 = "8f482b32f8415a1bb2082792b5ecf2088f31681d10eaf33b954d52132193e65b"\n'
    ),
    f"lists/{BLOCK}.txt": "# mine\n192.0.2.0/24\n203.0.113.7 ; one\n",
    f"lists/{ALLOW}.txt": "# allow list allow.edge.tscm.internal: a CIDR a line\n",
    "serials.json": json.dumps(
        {
            BLOCK: [SERIAL, "d093e5f81fc45cdd4216b0d477e556c2b5d2746f084fc089aad5458f089be711"],
            ALLOW: [SERIAL, "a141386231a5140c8b4be07f32d6b1139031d8c22a15b712cc7349368d2f9ed0"],
        },
        indent=1,
    ),
}
"""As that version wrote them."""


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zone_files, "_SETTLE_SECONDS", 0)
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def serial(portal: Path, now: float = NOW, name: str = BLOCK) -> int:
    """As the next start sees it."""
    return look_at_lists(portal, lambda: now, _State()).zones[name].serial


def test_entries_and_keys_go_on_counting(portal: Path) -> None:
    edge, far = entries(portal)
    assert (edge.nickname, edge.address, edge.note) == ("edge", "192.0.2.1", "rack 4")
    assert (far.domain, far.notify_port) == ("far.example", None)
    assert edge.key_fits(KEY)
    assert edge.tsig_secret is not None


def test_lists_keep_their_content_and_serial(portal: Path) -> None:
    state = look_at_lists(portal, lambda: NOW, _State())
    assert (state.zones[BLOCK].serial, state.zones[BLOCK].entries) == (SERIAL, 2)
    assert state.zones[ALLOW].serial == SERIAL
    assert not state.faults


@pytest.mark.parametrize("clock", [NOW, SERIAL - 86400.0])
def test_an_edit_of_a_file_raises_its_serial_whatever_the_clock_says(
    portal: Path, clock: float
) -> None:
    (portal / "lists" / f"{BLOCK}.txt").write_text("192.0.2.0/25\n")
    assert serial(portal, clock) > SERIAL


def test_after_a_restore_of_yesterdays_copy_serials_still_grow(portal: Path) -> None:
    (portal / "lists" / f"{BLOCK}.txt").write_text("192.0.2.0/25\n")
    today = serial(portal, NOW)
    for name in (f"lists/{BLOCK}.txt", "serials.json"):  # as the backup of yesterday has them
        (portal / name).write_text(FILES[name])
    raise_serials(portal, NOW + 60)
    restored = serial(portal, NOW + 60)
    assert restored > today
    (portal / "lists" / f"{BLOCK}.txt").write_text("192.0.2.0/26\n")
    assert serial(portal, NOW + 61) > restored


def test_a_new_entry_stands_beside_them_and_makes_no_file_for_a_published_list(
    portal: Path,
) -> None:
    published = portal / "published" / "block.default.tscm.internal.txt"
    published.parent.mkdir()
    published.write_text("192.0.2.0/24\n")
    add_entry(portal, nickname="new", address="192.0.2.9", block_list="block.default.tscm.internal")
    assert [one.nickname for one in entries(portal)] == ["edge", "far", "new"]
    assert not (portal / "lists" / published.name).exists()
