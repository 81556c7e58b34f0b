"""
What is tried again, and after how long.
"""

from typing import Any

import pytest
from attrs import evolve

from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.driver import Group, layout_digest
from tscm.kinds.asa.giving_up import given_up
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.asa.ssh.settings import AsaSshSettings
from tscm.model import Cidr, Identity
from tscm.settings.device import DeviceSettings
from tscm.update.memory import DeviceMemory, edit_notes
from tscm.update.patience import ReadBackDiffers, is_retryable, retry_delay


def doubling(count: int) -> float:
    return 60.0 * float(2 ** (count - 1))


@pytest.mark.parametrize(
    ("fault", "reached", "had_agent", "again"),
    [
        (faults.Overloaded("fw", "500"), False, False, True),
        (faults.Refused("fw", "400", status=400), True, True, True),
        (faults.Unreachable("fw", "refused"), False, True, False),
        (faults.Unreachable("fw", "refused"), True, True, True),
        (faults.InterfaceAbsent("fw", "404"), False, False, False),
        (faults.InterfaceAbsent("fw", "404"), False, True, True),
        (faults.InterfaceAbsent("fw", "404"), True, False, True),
        (faults.Unauthorised("fw", "401"), True, True, False),
        (faults.Forbidden("fw", "403"), True, True, False),
        (faults.IdentityChanged("fw", "other"), True, True, False),
        (asa_faults.UnitOnStandby("fw", "standby"), True, True, False),
        (asa_faults.Replicating("fw"), True, True, True),
    ],
)
def test_only_what_can_pass_by_itself_is_tried_again(
    fault: DeviceFault, reached: bool, had_agent: bool, again: bool
) -> None:
    assert is_retryable(fault, reached=reached, had_agent=had_agent) == again


def test_pauses_double_and_end_at_the_fifth() -> None:
    fault = faults.Overloaded("fw", "500")
    found = [retry_delay(fault, count, doubling) for count in range(1, 6)]
    assert [one.seconds if one else None for one in found] == [60, 120, 240, 480, None]
    assert "no rest-api agent" in str(given_up(fault, "fw", "TS"))
    assert "TS-Block-10" not in str(given_up(fault, "fw", "TS"))
    there = ["TS-Block", "TS-Allow", "TS-Allow-40", *(f"TS-Block-{n}" for n in range(1, 13))]
    told = str(given_up(fault, "fw", "TS", there))
    lines = (
        "`object-group network TS-Block`, `no group-object TS-Block-12`, "
        "`no object-group network TS-Block-12`; `object-group network TS-Block`, "
        "`no group-object TS-Block-11`, `no object-group network TS-Block-11`"
    )
    assert lines in told
    assert "TS-Block-1`" not in str(given_up(fault, "fw", "TS", ["TS-Block-1"]))  # the last one
    assert "rest-api" not in str(given_up(asa_faults.Replicating("fw"), "fw", "TS"))


def test_what_asks_only_for_a_new_look_costs_no_pause_the_first_time() -> None:
    for fault, first in (
        (faults.SessionLost("fw", "token", retry=True), 0),
        (faults.Refused("fw", "400", status=400), 0),
        (ReadBackDiffers("fw", "differs", retry=True), 5),
    ):
        seconds = [one.seconds for n in (1, 2) if (one := retry_delay(fault, n, doubling))]
        assert seconds == [first, 120]


def test_a_damaged_memory_is_forgotten_piece_by_piece() -> None:
    kept = DeviceMemory.from_json(
        {
            "failures": True,
            "login_failures": 2,
            "held": 1,
            "layout": None,
            "driver": [],
            "undeletable": ["A", 7],
            "changes": {"l": [1, "x", 2.5], "m": 3},
            "unknown": 1,
        }
    )
    assert kept == DeviceMemory(login_failures=2, undeletable=("A",), changes={"l": (1, 2.5)})
    assert kept.locked_out
    assert DeviceMemory.from_json(kept.to_json()) == kept


def settings(**changes: Any) -> DeviceSettings:
    return AsaRestSettings(
        **{
            "name": "fw",
            "device_id": "tdid_1",
            "device": "192.0.2.1",
            "block_list": "b.example",
            "allow_list": "a.example",
            "username": "admin",
            "password": Secret("secret"),
            **changes,
        }
    )


COMMON = (
    "name",
    "device_id",
    "device",
    "block_list",
    "allow_list",
    "username",
    "password",
)
FULL = DeviceMemory(
    driver={"batch": 100, "certificate": "ab"},
    layout="digest",
    version="9.15",
    login_failures=2,
    held=True,
    undeletable=("A",),
)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"max_policy_size": 5}, FULL),
        ({"password": Secret("new")}, evolve(FULL, login_failures=0)),
        (
            {"allow_self_signed": True},
            evolve(FULL, driver={"batch": 100, "certificate": None}),
        ),
        ({"prefix": "New"}, evolve(FULL, layout=None, undeletable=())),
        ({"device": "192.0.2.2"}, DeviceMemory(held=True)),
        ({"rest_url": "https://192.0.2.1:8443/api"}, DeviceMemory(held=True)),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_changed_settings_make_only_forgotten_what_they_make_untrue(
    change: dict[str, Any], left: DeviceMemory
) -> None:
    assert FULL.after_change(settings(), settings(**change)) == left


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"ssh_port": 2222}, True),
        ({"device": "192.0.2.2"}, False),
        ({"context": "inner"}, False),
    ],
    ids=str,
)
def test_another_way_to_the_same_firewall_forgets_nothing_of_it(
    changes: dict[str, Any], kept: bool
) -> None:
    memory = evolve(FULL, started_at=5.0, serials=("9A",))
    common = {name: getattr(settings(), name) for name in COMMON}
    after = AsaSshSettings(**{**common, **changes})
    found = memory.after_change(settings(), after)
    if not kept:
        assert found == DeviceMemory(held=True)
        return
    driver = {"batch": 100, "certificate": None, "started_at": 5.0}
    assert found == evolve(memory, driver=driver, login_failures=0)
    assert found.after_change(after, settings(device=after.device)).serials == ("9A",)


def test_a_larger_size_is_tried_anew_and_a_smaller_one_is_not() -> None:
    memory = DeviceMemory(group_limit=300, group_ceiling=310)

    def after(before: int, now: int) -> tuple[int | None, int | None]:
        kept = memory.after_change(
            settings(object_group_size=before), settings(object_group_size=now)
        )
        return kept.group_limit, kept.group_ceiling

    assert [after(10_000, 300), after(3, 27), after(3, 300)] == 3 * [(300, 310)]
    assert [after(300, 500), after(3, 10_000)] == 2 * [(None, None)]


def test_a_reload_is_told_from_a_clock_that_drifts() -> None:
    before = DeviceMemory(version="9.15(1)1", started_at=1000.0)
    assert before.reload_notes(Identity(version="9.15(1)1", started_at=1060.0)) == []
    assert before.reload_notes(Identity()) == []
    notes = before.reload_notes(Identity(version="9.16(1)", started_at=9000.0))
    assert len(notes) == 2


def test_the_order_of_members_is_no_edit() -> None:
    one = Group(name="A", members=(Cidr("20.0.0.1/32"), Cidr("20.0.0.2/32")))
    other = Group(name="A", members=one.members[::-1])
    assert layout_digest({"A": one}) == layout_digest({"A": other})
    assert layout_digest({"A": one}) != layout_digest({"A": Group(name="A")})


def test_the_placeholder_is_no_edit() -> None:
    assert edit_notes("Allow", [], [Cidr("192.0.2.1/32")], right=False) == []
    assert edit_notes("Allow", [], [Cidr("20.0.0.1/32")], right=False)
