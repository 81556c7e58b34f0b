"""
The same commands by way of a running manager's control socket.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Options, Stored, Tsadmin

MANAGER = Path(__file__).parent / "manager_with_fakes.py"


@pytest.fixture
def manager(root: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A manager's control interface on this root."""
    with subprocess.Popen(
        [sys.executable, str(MANAGER), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONWARNINGS": "ignore"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.terminate()


@pytest.fixture(params=["manager", "stored settings"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways to carry out a command."""
    if request.param == "manager":
        request.getfixturevalue("manager")
    return str(request.param)


def test_both_ways_say_the_same(
    way: str, tsadmin: "Tsadmin", add: "Add", options: "Options", stored: "Stored"
) -> None:
    done = add()
    assert done.status == 0
    assert "[INFO ] : fetch: block list block.example" in done.out
    assert "[INFO ] : Device tstest added" in done.out
    assert stored() == ["etc/tscm/devices/tstest.toml", "var/lib/tscm/key"]

    again = add()
    assert (again.status, again.out) == (1, "")
    assert again.err.startswith("[ERROR] : a device named 'tstest' already exists")

    conflict = add("other")
    assert conflict.status == 1
    assert "192.0.2.10 of device 'other' already belongs to device 'tstest'" in conflict.err

    faulty = add("other", log_rotate_size="49")
    assert faulty.status == 2
    assert "--log_rotate_size: '49' is out of range" in faulty.err

    gone = add("other", device="192.0.2.11", block_list="gone.example")
    assert gone.status == 1
    assert "block or allow list [gone.example] could not be fetched" in gone.err

    changed = tsadmin("configure", "tstest", "--log_rotate_size=50")
    assert (changed.status, changed.err) == (0, "")
    assert "changed log_rotate_size" in changed.out
    assert "| 50k | enabled     |" in tsadmin("list").out

    missing = tsadmin("show", "nobody")
    assert missing.status == 1
    assert "no device named 'nobody'" in missing.err

    assert "TSCM-Core" in tsadmin("version", "--all").out
    assert "deny ip any object-group" in tsadmin("show", "tstest", "--lines").out

    removed = tsadmin("remove", "tstest", "--yes")
    assert removed.status == 0
    assert "no access-list" in removed.out
    assert stored() == ["var/lib/tscm/key"]


def test_progress_and_outcome_of_an_update(manager: object, tsadmin: "Tsadmin", add: "Add") -> None:
    add(policy_updates="n")
    done = tsadmin("update", "tstest", "--force")

    assert done.status == 0
    assert "Policy updates of tstest are disabled; running this one anyway" in done.out
    assert "[INFO ] : push: requests (1 of 3)" in done.out
    assert "[INFO ] : push: requests (3 of 3)" in done.out
    assert "[WARN ] : near the budget" in done.err
    assert "tstest: 3 entries added and 1 removed" in done.out
    said = tsadmin(
        "update", "tstest", "--accept_shrink", f"--accept_certificate={'AB:' * 31}ab", "--json"
    )
    assert json.loads(said.out)["accepted"] == ["accept_shrink", f"accept_certificate={'ab' * 32}"]


def test_a_fault_of_the_manager_is_a_sentence_with_its_status(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    done = tsadmin("plan", "tstest")

    assert done.status == 70
    assert (
        done.err
        == "[ERROR] : internal error in the manager: RuntimeError: a fault of the program\n"
    )


def test_a_plan_can_be_asked_for_as_if_forced(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    assert json.loads(tsadmin("plan", "tstest", "--force", "--json").out)["risks"] == []


def test_force_lists_every_risk_before_anything_is_sent(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add("risky")
    refused = tsadmin("update", "risky", "--force")
    assert refused.status == 2
    assert f"[WARN ] : --accept_certificate {'ab' * 32}: another certificate" in refused.err
    assert "No password is sent to risky before its certificate is accepted" in refused.err
    assert "nothing was changed on risky" in refused.err
    assert "with them --force lists what else is found on the device" in refused.err
    assert "push" not in refused.out

    behind = tsadmin("update", "risky", "--force", f"--accept_certificate={'ab' * 32}")
    assert behind.status == 2
    assert "[WARN ] : --take_over: another manager's groups" in behind.err
    assert "No password" not in behind.err
    assert "give --take_over, or --yes for all that is found\n" in behind.err

    done = tsadmin("update", "risky", "--force", "--yes", "--json")
    assert done.status == 0
    assert "--take_over: another manager's groups" in done.err  # behind the certificate
    assert json.loads(done.out)["accepted"] == ["take_over", f"accept_certificate={'ab' * 32}"]

    shown = tsadmin("plan", "risky", "--force", f"--accept_certificate={'ab' * 32}")
    assert "not allowed without --take_over: another manager's groups" in shown.err
    wrong = tsadmin("update", "risky", "--accept_certificate=abc")
    assert (wrong.status, "'abc' is not a SHA-256 fingerprint" in wrong.err) == (2, True)


def test_what_senders_chose_acts_on_no_terminal(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    shown = tsadmin("show", "tstest").out + tsadmin("senders").out
    assert json.loads(tsadmin("senders", "--json").out)[0]["address"] == "192.0.2.99"

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31mred\\u202e [bold]" in shown
    assert "\\x1b]0;x\\x07[red]hi" in shown


def test_a_sender_is_adopted(way: str, tsadmin: "Tsadmin", add: "Add") -> None:
    add()
    assert tsadmin("senders", "adopt", "192.0.2.99", "tstest").status == 0
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["syslog_sources"] == ["192.0.2.99"]
    assert tsadmin("senders", "adopt", "x!", "tstest").status == 2


def test_the_ledger_ends_in_a_status(manager: object, tsadmin: "Tsadmin", add: "Add") -> None:
    add()

    assert tsadmin("ledger").status == 0
    done = tsadmin("ledger", "tstest")
    assert done.status == 1
    assert "does not balance" in done.err
    assert json.loads(tsadmin("ledger", "--json").out)["balanced"] is True


def test_a_manager_that_was_killed_leaves_a_socket_that_is_in_nobodys_way(
    manager: "subprocess.Popen[str]", root: Path, tsadmin: "Tsadmin", add: "Add"
) -> None:
    manager.kill()
    manager.wait()

    assert add().status == 0


def test_a_manager_that_does_not_answer_is_told_from_none(
    manager: "subprocess.Popen[str]", root: Path, tsadmin: "Tsadmin"
) -> None:
    from tscm.settings.layout import Layout

    Layout(root).control_socket.unlink()
    done = tsadmin("remove", "nobody", "--yes")
    assert done.status != 0
    held = tsadmin("add", "--type=asarest", "--device_id=tdid_1", stdin="")
    assert "Traceback" not in held.both


def test_a_lock_that_is_held_is_a_sentence(
    manager: object, root: Path, tsadmin: "Tsadmin", add: "Add", stored: "Stored"
) -> None:
    from tscm.settings.layout import Layout

    Layout(root).control_socket.unlink()
    done = add()

    assert done.status == 5
    assert "is held by the manager, process " in done.err
    assert stored() == []


def test_all_devices_are_asked_about_an_address_in_one_call(
    manager: object, tsadmin: "Tsadmin", add: "Add", monkeypatch: pytest.MonkeyPatch
) -> None:
    from tscm.faces.client import ManagerBackend

    asked: list[str] = []
    call = ManagerBackend.call

    def noted(backend: ManagerBackend, operation: Any, *args: Any) -> Any:
        asked.append(operation.name)
        return call(backend, operation, *args)

    monkeypatch.setattr(ManagerBackend, "call", noted)
    add()
    add("other", device="192.0.2.11")
    asked.clear()
    assert "other: 203.0.113.7 is" in tsadmin("why", "203.0.113.7").out
    assert asked == ["why_all", "portal_why"]


def test_questions_about_a_policy(manager: object, tsadmin: "Tsadmin", add: "Add") -> None:
    add()
    add("other", device="192.0.2.11")

    said = tsadmin("policy", "why", "203.0.113.7").out
    assert "[INFO ] : tstest: 203.0.113.7 is blocked 203.0.113.7" in said
    assert "[INFO ] : other: " in said
    assert "block list: in force" in said
    assert "entry 203.0.113.0/24: blocked 1,200 times by b\\x1b[31m.example" in said
    assert "and 1 entry more" in said
    assert "203.0.113.7 itself: blocked 1 time by b.example" in said
    assert tsadmin("why", "203.0.113.7").out == said
    assert (
        json.loads(tsadmin("why", "203.0.113.7", "tstest", "--json").out)["tstest"]["seen"]["count"]
        == 2
    )
    said = tsadmin("policy", "dropped", "tstest").out
    assert "block 192.0.2.0/24\nblock and 2 more\n" in said
    assert "3 entries of the block list are not on the device" in said
    assert "block \\x1b]0;x excluded: no [bold]CIDR\nblock and 1 more excluded\n" in said
    assert "2 entries of the block list excluded by the guard" in said
    said = tsadmin("policy", "history", "tstest").out
    assert "12,000" in said
    assert "failed: no TCP" in said
    said = tsadmin("policy", "diff", "tstest", "2").out
    assert "+ block 192.0.2.1/32" in said
    assert "From generation 2 to 3: block +1 -0, allow +1 -0" in said
    asked = tsadmin("policy", "rollback", "tstest", "3")
    assert (asked.status, "the policy of tstest is unchanged" in asked.err) == (2, True)
    assert "held; resume them with" in tsadmin("policy", "rollback", "tstest", "3", "--yes").out
    assert tsadmin("policy", "diff", "tstest", "x").status == 2


@pytest.mark.parametrize("word", ["hold", "pause"])
def test_updates_are_held_and_resumed(way: str, tsadmin: "Tsadmin", add: "Add", word: str) -> None:
    add()
    done = tsadmin(
        "policy", word, "tstest", "--until", "4h", "--reason", "change [b]freeze\x1b[31m"
    )
    assert done.status == 0
    assert "change [b]freeze\\x1b[31m" in done.out
    if way != "manager":  # whose handlers are made up there
        audit = json.loads(tsadmin("audit", "tstest", "--json").out)
        (entry,) = [one for one in audit if one["operation"] == "hold"]
        assert entry["arguments"]["reason"].startswith("change [b]freeze")
        assert entry["outcome"] == "done"
    assert tsadmin("policy", "resume", "tstest").status == 0
    assert tsadmin("policy", word, "nobody").status != 0
    over = tsadmin("policy", word, "tstest", "--until", "2020-01-01")
    assert (over.status, "is in the past" in over.err) == (2, True)


def test_a_device_whose_groups_stay_is_kept(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    add("other", device="192.0.2.11")
    done = tsadmin("remove", "tstest", "--yes", "--purge")

    assert done.status == 1
    assert "G not deleted: it is being used" in done.err
    assert "  no access-list x extended deny ip object-group G any log\n" in done.err
    assert "device tstest is not removed" in done.err
    done = tsadmin("remove", "other", "--yes", "--purge")
    assert done.status == 0
    assert "2 groups were taken off" in done.out
    assert "object-group" not in done.out
    assert "no logging host" in done.out
    assert [row["name"] for row in json.loads(tsadmin("list", "--json").out)] == ["tstest"]


def test_an_update_that_fails_tells_what_the_guard_found(
    manager: object, tsadmin: "Tsadmin", add: "Add"
) -> None:
    add("other", device="192.0.2.11")
    done = tsadmin("update", "other")
    assert done.status == 1
    assert "b: 10.0.0.0/8 excluded: private" in done.out
    assert "1 entry of the block list excluded: private (1)" in done.err
    assert done.err.endswith("[ERROR] : device other: no TCP\n")
    found = json.loads(tsadmin("update", "other", "--json").out)
    assert (found["good"], found["findings"]) == (False, ["b: 10.0.0.0/8 excluded: private"])
