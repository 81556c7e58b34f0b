"""
Device entries: files that an operator may edit, and what they register.
"""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tscm.errors import SettingsFaulty, TscmError
from tscm.services.entries import (
    EntryExists,
    EntryUnknown,
    add_entry,
    change_entry,
    entries,
    entries_folder,
    list_file,
    read_entries,
    read_entry,
    remove_entry,
    rotate_key,
)
from tscm.services.registry import plain_address
from tscm.settings.files import write_private


def test_an_entry_comes_back_from_its_file_without_the_key(tmp_path: Path) -> None:
    made = add_entry(tmp_path, nickname="edge", address="192.0.2.10", note="main site")
    (found,) = entries(tmp_path)
    assert made.device_key is not None
    assert found.device_key is None
    assert found.key_fits(made.device_key.reveal())
    assert not found.key_fits(made.device_key.reveal()[:-1])
    assert not found.key_fits("")
    assert (found.device_id, found.ip_type, found.note) == (made.device_id, "static", "main site")
    text = (entries_folder(tmp_path) / "edge.toml").read_text()
    assert made.device_key.reveal() not in text
    assert (entries_folder(tmp_path) / "edge.toml").stat().st_mode & 0o777 == 0o600
    assert "device_key" not in str(found.as_json())


def test_of_two_changes_at_once_neither_undoes_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add_entry(tmp_path, nickname="edge", address="192.0.2.10")
    begun = list[Thread]()
    handed_out: list[Any] = []

    def late(*args: Any) -> None:
        if not begun:  # the first has read the entry, and not written it yet
            for act in (
                lambda: change_entry(tmp_path, "edge", {"note": "second"}),
                lambda: handed_out.append(rotate_key(tmp_path, "edge")),
            ):
                begun.append(Thread(target=act))
            for one in begun:
                one.start()
            for one in begun:
                one.join(0.3)  # they wait for the first, or have written by then
        write_private(*args)

    monkeypatch.setattr("tscm.services.entries.write_private", late)
    change_entry(tmp_path, "edge", {"location": "first"})
    for one in begun:
        one.join()
    found = read_entry(tmp_path, "edge")
    assert (found.location, found.note) == ("first", "second")
    assert found.key_fits(handed_out[0].device_key.reveal())
    assert made.device_key
    assert not found.key_fits(made.device_key.reveal())


def test_of_two_entries_of_one_nickname_at_once_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = list[Thread]()
    refused: list[Exception] = []

    def second() -> None:
        try:
            add_entry(tmp_path, nickname="edge", address="192.0.2.11")
        except EntryExists as error:
            refused.append(error)

    def late(*args: Any) -> None:
        if not other:
            other.append(Thread(target=second))
            other[0].start()
            other[0].join(0.3)
        write_private(*args)

    monkeypatch.setattr("tscm.services.entries.write_private", late)
    add_entry(tmp_path, nickname="edge", address="192.0.2.10")
    other[0].join()
    assert len(refused) == 1
    assert read_entry(tmp_path, "edge").address == "192.0.2.10"


def test_each_entry_gets_an_id_and_a_key_of_its_own(tmp_path: Path) -> None:
    one = add_entry(tmp_path, nickname="one", address="192.0.2.10")
    two = add_entry(tmp_path, nickname="two", address="192.0.2.10")
    assert one.device_id != two.device_id
    assert one.device_key != two.device_key
    assert one.block_list == "block.one.tscm.internal"


def test_given_lists_are_kept_and_their_files_not_overwritten(tmp_path: Path) -> None:
    path = list_file(tmp_path, "block.example")
    path.parent.mkdir()
    path.write_text("192.0.2.0/24\n")
    made = add_entry(
        tmp_path,
        nickname="edge",
        domain="Edge.Example.",
        block_list="Block.Example",
        allow_list="allow.example",
    )
    assert (made.block_list, made.domain, made.ip_type) == (
        "block.example",
        "edge.example",
        "dynamic",
    )
    assert path.read_text() == "192.0.2.0/24\n"
    assert list_file(tmp_path, "allow.example").exists()


def test_a_key_written_by_hand_is_taken(tmp_path: Path) -> None:
    entries_folder(tmp_path).mkdir()
    (entries_folder(tmp_path) / "hand.toml").write_text(
        'device_id = "tdid_hand"\ndevice_key = "open sesame"\naddress = "192.0.2.1"\n'
        'block_list = "b.example"\nallow_list = "a.example"\n'
    )
    (found,) = entries(tmp_path)
    assert found.key_fits("open sesame")
    assert not found.key_fits("")
    assert "sesame" not in repr(found)


def test_a_taken_nickname_is_refused_and_a_removed_one_is_free(tmp_path: Path) -> None:
    first = add_entry(tmp_path, nickname="edge", address="192.0.2.10")
    with pytest.raises(EntryExists, match="tsadmin portal remove edge"):
        add_entry(tmp_path, nickname="edge", address="192.0.2.11")
    remove_entry(tmp_path, "edge")
    assert add_entry(tmp_path, nickname="edge", address="192.0.2.11").device_id != first.device_id


@pytest.mark.parametrize("nickname", ["../entries/edge", "", "nobody", "/etc/passwd", "a" * 300])
def test_removing_what_is_not_there_is_said_so(tmp_path: Path, nickname: str) -> None:
    add_entry(tmp_path, nickname="edge", address="192.0.2.10")
    with pytest.raises(EntryUnknown):
        remove_entry(tmp_path, nickname)
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"nickname": "../x"},
        {"nickname": ""},
        {"nickname": "a" * 64},
        {"address": None},
        {"domain": "edge.example"},
        {"address": "300.1.1.1"},
        {"block_list": "../../etc"},
        {"block_list": "a." * 130},
        {"note": "two\nlines"},
    ],
    ids=str,
)
def test_an_entry_out_of_form_leaves_nothing_behind(tmp_path: Path, wrong: dict[str, str]) -> None:
    given = {"nickname": "edge", "address": "192.0.2.10"} | wrong
    with pytest.raises(SettingsFaulty) as caught:
        add_entry(tmp_path, **given)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 1
    assert list(tmp_path.rglob("*")) == []


def test_one_bad_file_stops_nobody_else(tmp_path: Path) -> None:
    add_entry(tmp_path, nickname="good", address="192.0.2.10")
    (entries_folder(tmp_path) / "bad.toml").write_text("address = [")
    (entries_folder(tmp_path) / "worse.toml").write_bytes(b"\xff\xfe")
    (entries_folder(tmp_path) / "short.toml").write_text('address = "192.0.2.1"\n')
    found, faults = read_entries(tmp_path)
    assert [one.nickname for one in found] == ["good"]
    assert len(faults) == 3
    with pytest.raises(TscmError):
        entries(tmp_path)


def test_addresses_are_compared_in_one_spelling() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("2001:DB8:0::1") == "2001:db8::1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
