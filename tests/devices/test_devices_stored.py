"""
The operations on stored, apart from who calls them.
"""

import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tscm.base.host_port import HostPort
from tscm.base.secrets import MASK, Secret, load_key
from tscm.cli.standalone_node import node_on_files
from tscm.devices import checks, stored
from tscm.devices.answers import Added, Changed
from tscm.devices.claims import claimed_by_another, relay_notes
from tscm.devices.listed import device_rows
from tscm.devices.reach import NETWORK, Reach
from tscm.errors import (
    DeviceExists,
    DeviceFault,
    ListUnavailable,
    NoSuchDevice,
    SameFirewall,
    SecretUnavailable,
    SenderConflict,
    SettingsFaulty,
)
from tscm.events.rollups import EventPosition, Rollups
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.settings import asa
from tscm.model import Identity, Progress
from tscm.operations.arguments import ChangedDevice, Device, NewDevice
from tscm.operations.call import Actor
from tscm.operations.calls import Calls
from tscm.operations.operation import Operation
from tscm.operations.table.devices import ADD, CHANGE, REMOVE
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import Feed
from tscm.settings.files import write_device
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.spool.disk import Disk
from tscm.spool.names import LogFolder, cursor_readers
from tscm.store.database import Store, open_database, opened
from tscm.store.generations import stored as stored_list
from tscm.store.policies import Policies
from tscm.update.answers import History
from tscm.update.job import Seen
from tscm.update.memory import DeviceMemory
from tscm.update.records import UpdateRecords

NODE = NodeSettings(policy=PolicySettings(servers=(HostPort("192.0.2.53"),)))
GIVEN = {
    "name": "tstest",
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
    "username": "api",
    "password": "s3cret",
}
Args = TypeVar("Args")
Answer = TypeVar("Answer")


class Firewall:
    """Answers who it is, or with *fault*, and notes that it was closed."""

    def __init__(self, identity: Identity, fault: DeviceFault | None = None) -> None:
        self.identity = identity
        self.fault = fault
        self.closed = 0

    def identify(self) -> Identity:
        if self.fault:
            raise self.fault
        return self.identity

    def close(self) -> None:
        self.closed += 1


def handled(
    layout: Layout, operation: Operation[Args, Answer], args: Args, reach: Reach, report: Any
) -> Answer:
    """The operation on files alone, with the settings of this test."""
    node = evolve(node_on_files(layout, Store(layout.database), reach=reach), settings=lambda: NODE)
    answers: list[Any] = []
    _, work = Calls(node).start(operation, args, Actor(name="tester"), report)
    Deferred.fromCoroutine(work).addBoth(answers.append)
    if isinstance(answers[0], Failure):
        answers[0].raiseException()
    return cast(Answer, answers[0])


def add_device(
    layout: Layout, node: NodeSettings, options: Any, report: Any, *, reach: Reach = NETWORK
) -> Added:
    assert node is NODE
    return handled(layout, ADD, NewDevice(settings=dict(options)), reach, report)


def reconfigure_device(
    layout: Layout,
    node: NodeSettings,
    name: str,
    options: Any,
    report: Any,
    *,
    reach: Reach = NETWORK,
) -> Changed:
    assert node is NODE
    asked = ChangedDevice(name=name, settings=dict(options))
    return handled(layout, CHANGE, asked, reach, report)


def reach(firewall: Firewall, **counts: int) -> Reach:
    def fetch_list(
        _: Layout, settings: DeviceSettings, node: NodeSettings, name: str
    ) -> PolicyList:
        count = counts.get(name.partition(".")[0], 0)
        return PolicyList(
            name=name,
            entries=Entries.of(f"8.8.{one >> 8}.{one & 255}/32" for one in range(count)),
        )

    return Reach(
        fetch_list=fetch_list,
        connect=lambda settings, node: cast(AsaDriver, firewall),
    )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def files(layout: Layout) -> list[str]:
    return sorted(str(one.relative_to(layout.root)) for one in layout.root.rglob("*"))


def quiet(_: Progress) -> None:
    pass


def add(layout: Layout, **changed: Any) -> DeviceSettings:
    settings = stored.propose({**GIVEN, **changed})
    stored.store_device(layout, settings)
    return settings


def test_options_are_read_over_the_defaults() -> None:
    settings = stored.propose({**GIVEN, "dns_port": "5353", "log_proxy": "''"})

    assert settings.dns_port == 5353
    assert settings.log_proxy is None
    assert settings.max_policy_size == 8000


def test_options_are_read_over_the_present_settings() -> None:
    present = stored.propose({**GIVEN, "dns_port": 5353})
    settings = stored.propose({"prefix": "TS", "password": MASK, "name": "other"}, present)

    assert settings.name == "tstest"
    assert settings.dns_port == 5353
    assert asa(settings).prefix == "TS"
    assert asa(settings).password == Secret("s3cret")


def test_a_view_is_taken_back_as_options() -> None:
    settings = stored.propose({**GIVEN, "syslog_sources": "192.0.2.1 192.0.2.2"})

    assert stored.propose(stored.settings_view(settings), settings) == settings


def test_a_view_holds_no_secret() -> None:
    settings = stored.propose(
        {
            **GIVEN,
            "log_proxy": "http://192.0.2.9:1",
            "log_proxy_user": "u",
            "log_proxy_password": "s3cret",
            "upload_key": "s3cret",
            "tsig_name": "key",
            "tsig_key": "s3cret",
        }
    )

    assert "s3cret" not in repr(stored.settings_view(settings))
    assert "s3cret" not in repr(settings)
    assert stored.settings_view(settings)["log_proxy_password"] == MASK


def test_what_is_missing_is_told_by_its_option() -> None:
    with pytest.raises(SettingsFaulty) as caught:
        stored.propose({})

    assert {fault.where for fault in caught.value.faults} == {
        "--device_id",
        "--device",
        "--block_list",
        "--allow_list",
        "--username",
        "--password",
    }


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SettingsFaulty, match="--nonsense: unknown setting"):
        stored.propose({**GIVEN, "nonsense": 1})


def test_the_check_counts_lists_and_names_the_device(layout: Layout) -> None:
    firewall = Firewall(Identity(model="ASAv", version="9.15(1)", entries=9000))
    told: list[Progress] = []
    check = checks.check_device(
        layout,
        NODE,
        stored.propose({**GIVEN, "allow_self_signed": "yes"}),
        told.append,
        reach=reach(firewall, block=12000, allow=200),
    )

    assert (check.block_entries, check.allow_entries, check.proposed_size) == (12000, 200, 9000)
    assert [one.phase for one in told] == ["fetch", "fetch", "check"]
    assert "Device 192.0.2.10: ASAv, version 9.15(1)" in check.notes
    assert any("beta" in note for note in check.notes)
    assert any("not safe" in warning for warning in check.warnings)
    assert any("no log service is configured" in warning for warning in check.warnings)
    assert firewall.closed == 1


def test_a_platform_that_cannot_be_told_gets_the_careful_size(layout: Layout) -> None:
    firewall = Firewall(Identity())
    settings = stored.propose(GIVEN)
    check = checks.check_device(layout, NODE, settings, quiet, reach=reach(firewall, block=1))

    assert check.proposed_size == 8000


def test_a_device_that_fails_is_closed_all_the_same(layout: Layout) -> None:
    firewall = Firewall(Identity(), DeviceFault("tstest", "wrong password"))
    with pytest.raises(DeviceFault, match="wrong password"):
        add_device(layout, NODE, GIVEN, quiet, reach=reach(firewall, block=1))

    assert firewall.closed == 1
    assert files(layout) == []


def test_an_empty_block_list_is_refused_before_the_device_is_asked(layout: Layout) -> None:
    firewall = Firewall(Identity())
    with pytest.raises(
        ListUnavailable, match=r"block or allow list \[block.example\] could not be fetched"
    ):
        add_device(layout, NODE, GIVEN, quiet, reach=reach(firewall, allow=1))

    assert firewall.closed == 0
    assert files(layout) == []


def test_adding_stores_and_says_what_to_type(layout: Layout) -> None:
    added = add_device(
        layout, NODE, GIVEN, quiet, reach=reach(Firewall(Identity(entries=9000)), block=1)
    )

    assert added.settings["max_policy_size"] == 9000
    assert "object-group ThreatSTOP-Block any log" in added.lines
    assert "s3cret" not in str(added)
    assert layout.device_log("tstest").is_dir()
    assert asa(stored.stored_device(layout, "tstest")).password == Secret("s3cret")


def test_a_size_that_was_given_stays(layout: Layout) -> None:
    added = add_device(
        layout,
        NODE,
        {**GIVEN, "max_policy_size": "12"},
        quiet,
        reach=reach(Firewall(Identity(entries=9000)), block=1),
    )

    assert added.settings["max_policy_size"] == 12


def test_a_duplicate_is_refused_before_anything_is_asked(layout: Layout) -> None:
    add(layout)
    firewall = Firewall(Identity())
    with pytest.raises(DeviceExists):
        add_device(layout, NODE, GIVEN, quiet, reach=reach(firewall, block=1))

    assert firewall.closed == 0


@pytest.mark.parametrize(
    "other",
    [
        {"device": "192.0.2.10"},
        {"device": "192.0.2.11", "ha_members": "192.0.2.10"},
        {"device": "::ffff:192.0.2.10"},
        {"device": "192.0.2.11", "syslog_sources": "192.0.2.10"},
    ],
)
def test_two_devices_cannot_own_one_address(layout: Layout, other: dict[str, str]) -> None:
    add(layout)
    with pytest.raises(SenderConflict):
        add(layout, name="other", **other)
    before = files(layout)

    assert "etc/tscm/devices/other.toml" not in before


def test_a_relays_address_may_be_shared_and_not_become_a_devices_own(layout: Layout) -> None:
    add(layout, syslog_sources="192.0.2.99")
    add(layout, name="other", device="192.0.2.11", syslog_sources="192.0.2.99")
    with pytest.raises(SenderConflict):
        add(layout, name="relay", device="192.0.2.99")


def test_who_shares_a_source_is_told_that_it_stands_for_a_relay(layout: Layout) -> None:
    add(layout, syslog_sources="192.0.2.99")
    other = add(layout, name="other", device="192.0.2.11", syslog_sources="192.0.2.98")
    assert relay_notes(layout, None, other) == []
    changed = reconfigure_device(
        layout, NODE, "other", {"syslog_sources": "192.0.2.98, 192.0.2.99"}, quiet
    )
    (note,) = changed.notes
    assert note.startswith("192.0.2.99 is also a source of tstest, so it is treated as a relay")
    again = reconfigure_device(layout, NODE, "other", {"log_rotate_size": "50"}, quiet)
    assert again.notes == (), "only what is new is told"
    third = add(layout, name="third", device="192.0.2.12", syslog_sources="192.0.2.99")
    assert [note.split(",")[0] for note in relay_notes(layout, None, third)] == [
        "192.0.2.99 is also a source of other",
        "192.0.2.99 is also a source of tstest",
    ]


def test_a_change_that_would_conflict_changes_nothing(layout: Layout) -> None:
    add(layout)
    other = add(layout, name="other", device="192.0.2.11")
    with pytest.raises(SenderConflict):
        reconfigure_device(
            layout,
            NODE,
            "other",
            {"device": "192.0.2.10"},
            quiet,
            reach=reach(Firewall(Identity())),
        )

    assert stored.stored_device(layout, "other") == other


def test_a_lost_key_is_not_replaced_while_devices_need_it(layout: Layout) -> None:
    add(layout)
    layout.key.unlink()
    with pytest.raises(SecretUnavailable, match="it is missing"):
        add(layout, name="other", device="192.0.2.11")

    assert not layout.key.exists()
    assert not layout.device_file("other").exists()
    assert [row.name for row in device_rows(layout)] == ["tstest"]


def test_files_with_secrets_in_the_clear_need_no_key_and_the_first_change_makes_one(
    layout: Layout,
) -> None:
    add(layout)
    path = layout.device_file("tstest")
    sealed = path.read_text()
    clear = "\n".join(
        'password = "s3cret"' if line.startswith("password") else line
        for line in sealed.splitlines()
    )
    path.write_text(clear)
    layout.key.unlink()
    assert asa(stored.stored_device(layout, "tstest")).password == Secret("s3cret")
    assert not layout.key.exists()
    reconfigure_device(layout, NODE, "tstest", {"log_rotate_size": "50"}, quiet)
    assert "s3cret" not in path.read_text()
    assert asa(stored.stored_device(layout, "tstest")).password == Secret("s3cret")


def test_a_key_of_loose_mode_stores_nothing(layout: Layout) -> None:
    add(layout)
    layout.key.chmod(0o644)
    with pytest.raises(SecretUnavailable, match="chmod 600"):
        add(layout, name="other", device="192.0.2.11")

    assert not layout.device_file("other").exists()
    assert not layout.device_log("other").exists()


def test_a_disk_that_is_full_leaves_nothing_behind(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored, "write_device", full)
    with pytest.raises(OSError, match="No space"):
        add(layout)

    assert not layout.device_log("tstest").exists()


def test_another_type_keeps_what_both_have_and_takes_its_own(layout: Layout) -> None:
    present = add(layout, token_auth="no", object_group_size="77", fingerprint="ab" * 32)
    moved = stored.propose({"type": "asahttp", "http_port": "8443"}, present)
    assert (moved.type, moved.endpoint) == ("asahttp", "192.0.2.10:8443")
    assert (moved.group_size, moved.entry, moved.account) == (77, present.entry, present.account)
    assert stored.needs_check(present, moved)
    assert stored.propose({"type": "asarest"}, moved).trust == present.trust
    with pytest.raises(SettingsFaulty, match="--token_auth"):
        stored.propose({"type": "asahttp", "token_auth": "yes"}, present)
    with pytest.raises(SettingsFaulty, match="is not a device type"):
        stored.propose({"type": "toaster"}, present)


def test_only_what_lists_or_device_could_object_to_is_checked_again(layout: Layout) -> None:
    add(layout)
    firewall = Firewall(Identity())
    changed = reconfigure_device(
        layout, NODE, "tstest", {"log_rotate_size": "200"}, quiet, reach=reach(firewall)
    )
    assert changed.changed == ("log_rotate_size",)
    assert firewall.closed == 0

    with pytest.raises(ListUnavailable):
        reconfigure_device(
            layout, NODE, "tstest", {"block_list": "other.example"}, quiet, reach=reach(firewall)
        )
    assert stored.stored_device(layout, "tstest").block_list == "block.example"


def test_another_prefix_leaves_groups_behind_and_says_so(layout: Layout) -> None:
    add(layout)
    changed = reconfigure_device(
        layout, NODE, "tstest", {"prefix": "TS"}, quiet, reach=reach(Firewall(Identity()))
    )

    (note,) = changed.notes
    assert "groups ThreatSTOP-… remain on the device" in note


def test_the_size_can_be_proposed_anew(layout: Layout) -> None:
    add(layout)
    changed = reconfigure_device(
        layout,
        NODE,
        "tstest",
        {"max_policy_size": " AUTO "},
        quiet,
        reach=reach(Firewall(Identity(entries=40000)), block=1),
    )

    assert changed.changed == ("max_policy_size",)
    assert changed.settings["max_policy_size"] == 40000


def test_removing_gives_the_way_back_and_keeps_the_logs(layout: Layout) -> None:
    add(layout)
    (layout.device_log("tstest") / "syslog").write_text("line\n")
    lines = stored.forget_device(layout, NODE, "tstest").lines

    assert (
        lines.index("no access-list") < lines.index("no object-group") < lines.index("no logging")
    )
    assert (layout.device_log("tstest") / "syslog").exists()
    with pytest.raises(NoSuchDevice):
        stored.forget_device(layout, NODE, "tstest")


def test_a_device_with_a_damaged_file_is_listed_with_its_fault_and_can_be_removed(
    layout: Layout,
) -> None:
    add(layout)
    add(layout, name="other", device="192.0.2.11")
    layout.device_file("other").write_text("damaged = ")
    rows = device_rows(layout)

    assert [row.name for row in rows] == ["other", "tstest"]
    assert "not valid TOML" in str(rows[0].fault)
    stored.forget_device(layout, NODE, "other")
    assert [row.name for row in device_rows(layout)] == ["tstest"]


def test_a_check_may_run_in_a_thread(layout: Layout) -> None:
    found: list[Any] = []
    settings = stored.propose(GIVEN)

    def work() -> None:
        found.append(
            checks.check_device(
                layout, NODE, settings, quiet, reach=reach(Firewall(Identity()), block=1)
            )
        )

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)

    assert found[0].block_entries == 1


FOUND = Identity(model="ASAv10", version="9.12", serial="SERIAL1", entries=9000)


def test_the_same_firewall_is_added_once_for_a_prefix(layout: Layout) -> None:
    there = {"rest_url": "https://198.51.100.9:8443/api"}
    add_device(layout, NODE, {**GIVEN, **there}, quiet, reach=reach(Firewall(FOUND), block=5))
    again = {
        **GIVEN,
        "name": "again",
        "device": "localhost",
        "rest_url": "https://198.51.100.9:8443/api/",
    }
    firewall = Firewall(FOUND)
    with pytest.raises(SameFirewall, match=r"'again' is the same firewall as device 'tstest'"):
        add_device(layout, NODE, again, quiet, reach=reach(firewall, block=5))
    assert firewall.closed == 0, "it is told before anybody is asked"
    other_way = {**GIVEN, "name": "again", "device": "192.0.2.11"}
    with pytest.raises(SameFirewall, match="serial number SERIAL1"):
        add_device(layout, NODE, other_way, quiet, reach=reach(Firewall(FOUND), block=5))
    assert [one.name for one in device_rows(layout)] == ["tstest"]
    other_groups = {**other_way, "prefix": "Second"}
    add_device(layout, NODE, other_groups, quiet, reach=reach(Firewall(FOUND), block=5))
    with pytest.raises(SameFirewall):
        reconfigure_device(layout, NODE, "again", {"prefix": "ThreatSTOP"}, quiet)


UNKNOWN = Seen(serials=(), layout="x")


def test_two_entries_from_before_are_told_to_be_one_firewall(layout: Layout) -> None:
    there = "https://198.51.100.9:8443/api"
    first = stored.propose({**GIVEN, "rest_url": there})
    write_device(layout, first, load_key(layout.key, create=True))
    asked: list[str] = []

    def look_up(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        asked.extend(names)
        return {"fw.example": ("198.51.100.9",)}

    def claim(seen: Seen = UNKNOWN, **changes: Any) -> tuple[str, str] | None:
        given = {**GIVEN, "name": "again", "device": "192.0.2.11", **changes}
        return claimed_by_another(layout, stored.propose(given), seen, look_up)

    assert claim() is None
    assert asked == []
    assert claim(rest_url=f"{there}/") == ("tstest", "REST API at 198.51.100.9:8443")
    named = "https://fw.example:8443/api"
    assert claim(rest_url=named) == ("tstest", "address 198.51.100.9")
    assert asked == ["fw.example"]
    assert claim(rest_url=named, prefix="Second") is None
    assert claim(rest_url="https://fw.example:9443/api") is None
    store = Store(layout.database)
    with opened(store):
        UpdateRecords(Policies(store)).change_memory("tstest", serials=("SERIAL1",), layout="left")
    assert claim(Seen(serials=("SERIAL1",), layout="x")) == ("tstest", "serial number SERIAL1")
    assert claim(Seen(serials=("SERIAL2",), layout="x")) is None
    left = claim(Seen(serials=(), layout="left"))
    assert left == ("tstest", "its last update left the groups as they are now")
    with opened(store):
        UpdateRecords(Policies(store)).change_memory("again", serials=("SERIAL1",))
    assert claim() == ("tstest", "serial number SERIAL1"), "it was kept from the last contact"


def test_the_serial_number_of_another_device_is_no_matter(layout: Layout) -> None:
    add_device(layout, NODE, GIVEN, quiet, reach=reach(Firewall(FOUND), block=5))
    other = evolve(FOUND, serial="SERIAL2")
    given = {**GIVEN, "name": "second", "device": "192.0.2.11"}
    add_device(layout, NODE, given, quiet, reach=reach(Firewall(other), block=5))
    moved = {"device": "192.0.2.12"}
    with pytest.raises(SameFirewall):
        reconfigure_device(
            layout, NODE, "second", moved, quiet, reach=reach(Firewall(FOUND), block=5)
        )


def test_each_new_device_has_an_entry_that_options_do_not_choose(layout: Layout) -> None:
    options = {**GIVEN, "entry": "0" * 12}
    first, second = stored.propose(options), stored.propose(options)
    assert first.entry not in {None, second.entry, "0" * 12}
    stored.store_device(layout, first)
    kept = stored.stored_device(layout, "tstest")
    assert kept == first
    assert stored.propose({"entry": "0" * 12, "prefix": "X"}, kept).entry == first.entry


def test_what_is_kept_of_a_removed_device_goes_without_a_manager_too(layout: Layout) -> None:
    add_device(layout, NODE, GIVEN, quiet, reach=reach(Firewall(FOUND), block=5))
    store = Store(layout.database)
    with opened(store):
        UpdateRecords(Policies(store)).change_memory(
            "tstest", held=True, login_failures=2, broken=True, driver={"certificate": "aa"}
        )
        Policies(store).save_update("tstest", 1.0, 2.0, "failed", {"result": "failed"})
    with closing(open_database(str(layout.database))) as counts:
        Rollups(counts).add("tstest", {}, EventPosition(offset=100, sent=3))
    handled(layout, REMOVE, Device(name="tstest"), NETWORK, quiet)

    def kept() -> tuple[DeviceMemory, Any, Any]:
        with opened(store):
            records = UpdateRecords(Policies(store))
            return records.memory("tstest"), records.history("tstest"), Policies(store).entries()

    assert kept() == (DeviceMemory(), History(generations=(), updates=()), {})
    with closing(open_database(str(layout.database))) as counts:
        assert Rollups(counts).position("tstest") == EventPosition()
    add_device(layout, NODE, GIVEN, quiet, reach=reach(Firewall(FOUND), block=5))
    memory, _, entries = kept()
    assert memory == DeviceMemory(serials=("SERIAL1",))
    assert entries == {"tstest": stored.stored_device(layout, "tstest").entry}


@pytest.mark.parametrize(("backlog", "left"), [("drop", []), ("keep", ["forward", "upload"])])
def test_readers_of_a_removed_device_go_as_with_a_manager(
    layout: Layout, backlog: str, left: list[str]
) -> None:
    given = {**GIVEN, "backlog": backlog}
    add_device(layout, NODE, given, quiet, reach=reach(Firewall(FOUND), block=5))
    folder = LogFolder(layout.device_log("tstest"))
    folder.spool.mkdir()
    for reader in ("events", "forward", "upload"):
        folder.cursor(reader).write_bytes(b"")
    folder.live.write_bytes(b"a line\n")
    handled(layout, REMOVE, Device(name="tstest"), NETWORK, quiet)
    assert cursor_readers(Disk().names(folder.spool)) == left
    assert folder.live.read_bytes() == b"a line\n"


def test_a_device_whose_file_is_damaged_keeps_its_readers_when_it_is_removed(
    layout: Layout,
) -> None:
    given = {**GIVEN, "backlog": "drop"}
    add_device(layout, NODE, given, quiet, reach=reach(Firewall(FOUND), block=5))
    folder = LogFolder(layout.device_log("tstest"))
    folder.spool.mkdir()
    folder.cursor("forward").write_bytes(b"")
    layout.device_file("tstest").write_text("damaged = ")
    handled(layout, REMOVE, Device(name="tstest"), NETWORK, quiet)
    assert cursor_readers(Disk().names(folder.spool)) == ["forward"]


def test_a_device_that_takes_a_name_inherits_nothing_from_one_whose_file_was_deleted(
    layout: Layout,
) -> None:
    add_device(layout, NODE, GIVEN, quiet, reach=reach(Firewall(FOUND), block=5))
    store = Store(layout.database)
    with opened(store):
        UpdateRecords(Policies(store)).change_memory("tstest", held=True)
    layout.device_file("tstest").unlink()
    add_device(layout, NODE, GIVEN, quiet, reach=reach(Firewall(FOUND), block=5))
    with opened(store):
        assert not UpdateRecords(Policies(store)).memory("tstest").held


def learnt_limit(layout: Layout, name: str, limit: int) -> None:
    store = Store(layout.database)
    with opened(store):
        UpdateRecords(Policies(store)).change_memory(name, group_limit=limit)


@pytest.mark.parametrize(
    ("size", "most", "said"),
    [
        (10_000, 8000, "children hold what the device takes"),
        (300, 8000, None),
        (27, 8000, None),
        (26, 8000, "8,000 entries take 308 children of 26"),
        (3, 8000, "--object_group_size 27 is the smallest that is enough"),
        (300, 100_000, "its groups hold about 89,700 entries of a list"),
    ],
)
def test_what_a_device_takes_in_a_group_is_computed_ahead(
    layout: Layout, size: int, most: int, said: str | None
) -> None:
    add(layout, max_policy_size="500", object_group_size="500")
    learnt_limit(layout, "tstest", 300)
    changes = {"object_group_size": str(size), "max_policy_size": str(most)}
    notes = reconfigure_device(layout, NODE, "tstest", changes, quiet).notes
    assert [said is not None and said in one for one in notes] == ([] if said is None else [True])
    again = reconfigure_device(layout, NODE, "tstest", {"log_rotate_size": "50"}, quiet)
    assert again.notes == (), "only where one of the sizes changes"


def test_a_new_device_is_told_what_is_known_of_its_firewall_by_another_entry(
    layout: Layout,
) -> None:
    add(layout)
    learnt_limit(layout, "tstest", 300)
    given = {
        **GIVEN,
        "name": "second",
        "device": "192.0.2.11",
        "prefix": "TS",
        "object_group_size": "3",
        "rest_url": "https://192.0.2.10/api",
    }
    added = add_device(layout, NODE, given, quiet, reach=reach(Firewall(Identity()), block=1))
    assert ["no more than 300 members" in one for one in added.notes] == [True]


def apart(count: int) -> Entries:
    """So many hosts that do not merge."""
    return Entries.of(f"8.{one >> 7}.{(one & 127) * 2}.1/32" for one in range(count))


def published(count: int) -> Reach:
    def fetch_list(
        _: Layout, settings: DeviceSettings, node: NodeSettings, name: str
    ) -> PolicyList:
        return PolicyList(name=name, entries=apart(count if name == "block.example" else 0))

    return evolve(reach(Firewall(Identity())), fetch_list=fetch_list)


def save_list(layout: Layout, device: str, count: int, at: float = 1.0) -> None:
    store = Store(layout.database)
    with opened(store):
        kept = PolicyList(name="block.example", entries=apart(count), fetched_at=at)
        Policies(store).save_list(device, stored_list(kept))


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (1000, 400, "block.example shrank from 1,000 to 400 entries"),
        (400, 500, None),
        (0, 500, None),
    ],
)
def test_a_list_that_another_device_had_otherwise_is_told_where_nothing_else_measures_it(
    layout: Layout, before: int, now: int, said: str | None
) -> None:
    add(layout, name="second", device="192.0.2.11")
    add(layout, name="third", device="192.0.2.12")
    if before:
        save_list(layout, "second", before, at=2)
        save_list(layout, "third", now, at=1)  # older
    settings = stored.propose(GIVEN)
    found = published(now)
    warnings = checks.check_device(layout, NODE, settings, quiet, reach=found).warnings
    told = [one for one in warnings if "was another one" in one]
    assert len(told) == (said is not None)
    assert all("block list of second" in one and str(said) in one for one in told)


def test_a_list_is_compared_with_the_devices_own_as_its_update_will(layout: Layout) -> None:
    add(layout, name="second", device="192.0.2.11")
    save_list(layout, "second", 400, at=2)
    save_list(layout, "tstest", 1000, at=1)
    found = published(400)
    warnings = checks.check_device(layout, NODE, stored.propose(GIVEN), quiet, reach=found).warnings
    (refused,) = [one for one in warnings if "shrank from 1,000 to 400" in one]
    assert refused.startswith("The next update will reject the block list")


def test_a_list_that_grew_beyond_its_bound_is_told_at_add(layout: Layout) -> None:
    save_list(layout, "second", 100)
    node = evolve(NODE, policy=evolve(NODE.policy, max_growth_percent=50))
    found = published(400)
    warnings = checks.check_device(layout, node, stored.propose(GIVEN), quiet, reach=found).warnings
    assert any("was another one: block.example grew from 100 to 400" in one for one in warnings)


@pytest.mark.parametrize("refused", [0, 3])
def test_an_empty_feed_is_told_with_its_own_place_and_settings(
    layout: Layout, refused: int
) -> None:
    feed = Feed(name="block.example", url="https://feeds.example/list?key=hidden")
    node = evolve(NODE, policy=evolve(NODE.policy, feeds=(feed,)))

    def fetch_list(
        _: Layout, settings: DeviceSettings, node: NodeSettings, name: str
    ) -> PolicyList:
        return PolicyList(name=name, entries=Entries(), refused_count=refused)

    found = evolve(reach(Firewall(Identity())), fetch_list=fetch_list)
    with pytest.raises(ListUnavailable) as caught:
        checks.check_device(layout, node, stored.propose(GIVEN), quiet, reach=found)
    said = str(caught.value)
    assert "could not be fetched from https://feeds.example/list" in said
    assert "the feed's format, pick and where settings" in said
    for wrong in ("DNS", "TSIG", "hidden", "15 minutes"):
        assert wrong not in said
