"""
The REST driver against the simulator, over real sockets.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread, settings_for
from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.faces.control import error_json
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.driver import (
    AddMembers,
    AsaDriver,
    AttachChildren,
    Configuration,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.opening import open_driver
from tscm.model import Cidr
from tscm.simulator.agent import Agent
from tscm.simulator.http_values import Reply, Request
from tscm.simulator.service import SimulatedAsa

TOKENS = "POST /api/tokenservices"
GROUPS = "/api/objects/networkobjectgroups"


def with_driver(asa: SimulatedAsa, work: Callable[[AsaDriver], Any], **changes: Any) -> Any:
    learnt = changes.pop("learnt", {})

    def session() -> Any:
        driver = open_driver(settings_for(asa, **changes), learnt)
        try:
            return work(driver)
        finally:
            driver.close()

    return in_thread(session)


def cidrs(*texts: str) -> tuple[Cidr, ...]:
    return tuple(Cidr(text) for text in texts)


def everything(driver: AsaDriver) -> None:
    members = cidrs("192.0.2.1/32", "198.51.100.0/24", "2001:db8::/32", "2001:db8:1::1/128")
    driver.apply(CreateGroup(group="T-Block-1", members=members, description="one"))
    driver.apply(CreateGroup(group="T-Block-2", members=cidrs("203.0.113.0/25")))
    driver.apply(CreateGroup(group="T-Block", children=("T-Block-1",)))
    driver.apply(AttachChildren(group="T-Block", children=("T-Block-2",)))
    driver.apply(AddMembers(group="T-Block-1", members=cidrs("203.0.113.128/25")))
    driver.apply(RemoveMembers(group="T-Block-1", members=cidrs("192.0.2.1/32", "2001:db8::/32")))
    driver.apply(Describe(group="T-Block", description="mark"))


@pytest.mark.parametrize("token_auth", [True, False])
@pytest_twisted.ensureDeferred
async def test_every_step_does_what_it_says(asa: SimulatedAsa, token_auth: bool) -> None:
    def work(driver: AsaDriver) -> None:
        everything(driver)
        found = driver.read_groups("T")
        assert found["T-Block-1"].members == cidrs(
            "198.51.100.0/24", "2001:db8:1::1/128", "203.0.113.128/25"
        )
        assert found["T-Block"].children == ("T-Block-1", "T-Block-2")
        assert found["T-Block"].description == "mark"
        driver.apply(DetachChild(group="T-Block", child="T-Block-2"))
        driver.apply(DeleteGroup(group="T-Block-2"))
        driver.apply(DeleteGroup(group="T-Block-2"))  # gone is what was asked for
        assert sorted(driver.read_groups("T")) == ["T-Block", "T-Block-1"]

    await with_driver(asa, work, token_auth=token_auth)
    assert asa.counts.requests[TOKENS] == int(token_auth)
    assert asa.counts.in_flight_most <= 1


@pytest_twisted.ensureDeferred
async def test_a_joined_portion_does_the_same_in_one_request(asa: SimulatedAsa) -> None:
    def work(driver: AsaDriver) -> None:
        steps: list[Step] = [
            CreateGroup(group="T-Block-1", members=cidrs("198.51.100.0/24")),
            CreateGroup(group="T-Block", children=("T-Block-1",)),
            AddMembers(group="T-Block-1", members=cidrs("203.0.113.7/32")),
            RemoveMembers(group="T-Block-1", members=cidrs("198.51.100.0/24")),
        ]
        portions = driver.portions(steps)
        assert [len(portion) for portion in portions] == [4]
        driver.apply_all(portions[0])
        assert driver.read_groups("T")["T-Block-1"].members == cidrs("203.0.113.7/32")

    await with_driver(asa, work)
    assert asa.counts.writes == 1


@pytest_twisted.ensureDeferred
async def test_a_refused_joined_portion_is_told_and_steps_go_singly_from_then_on(
    asa: SimulatedAsa,
) -> None:
    for form in ("messages", "bare", "null"):
        for status in (400, 200):
            asa.switches.update({"bulk_entry_form": form, "bulk_failure_status": status})

            def work(driver: AsaDriver) -> AsaDriver:
                steps: list[Step] = [
                    CreateGroup(group="T-Block-1", members=cidrs("198.51.100.0/24")),
                    AttachChildren(group="T-None", children=("T-Block-1",)),
                ]
                with pytest.raises(faults.Refused):
                    driver.apply_all(steps)
                assert [len(one) for one in driver.portions(steps)] == [1, 1]
                assert driver.learnt["singles"]
                return driver

            await with_driver(asa, work)


@pytest_twisted.ensureDeferred
async def test_a_large_step_goes_in_batches(asa: SimulatedAsa) -> None:
    members = cidrs(*(f"10.1.{n // 256}.{n % 256}/32" for n in range(1201)))

    def work(driver: AsaDriver) -> None:
        driver.apply(CreateGroup(group="T-Block-1", members=members))
        assert driver.read_groups("T")["T-Block-1"].members == members
        driver.apply(RemoveMembers(group="T-Block-1", members=members[:-1]))
        assert driver.read_groups("T")["T-Block-1"].members == members[-1:]

    await with_driver(asa, work)
    assert asa.counts.requests[f"POST {GROUPS}"] == 1
    assert asa.counts.requests[f"PATCH {GROUPS}/T-Block-1"] == 2 + 3


@pytest_twisted.ensureDeferred
async def test_what_is_refused_for_its_size_goes_in_smaller_pieces_where_a_step_went_alone(
    asa: SimulatedAsa,
) -> None:
    members = cidrs(*(f"10.1.0.{n}/32" for n in range(200)))
    pair: list[Step] = [
        CreateGroup(group="T-Block-1", members=members[:100]),
        CreateGroup(group="T-Block-2", members=members[100:]),
    ]
    asa.set_switches({"max_body_bytes": 3000, "error_code": ""})

    def refused(driver: AsaDriver) -> Any:
        with pytest.raises(faults.Refused):
            driver.apply_all(pair)
        return driver.learnt

    learnt = await with_driver(asa, refused)
    assert learnt["batch"] == 500  # an edit by hand of one of them is likelier than a limit
    for count, batch in ((200, 100), (100, 50)):
        pair = [CreateGroup(group="T-Block-1", members=members[:count])]
        learnt = await with_driver(asa, refused, learnt=learnt)
        assert learnt["batch"] == batch

    def work(driver: AsaDriver) -> None:
        for portion in driver.portions([CreateGroup(group="T-Block-1", members=members)]):
            driver.apply_all(portion)

    await with_driver(asa, work, learnt=learnt)
    assert len(asa.configuration.groups["T-Block-1"].members) == 200


@pytest_twisted.ensureDeferred
async def test_a_size_that_has_worked_is_given_up_when_it_fails_twice_and_not_before(
    asa: SimulatedAsa,
) -> None:
    members = cidrs(*(f"10.1.0.{n}/32" for n in range(200)))
    await with_driver(asa, lambda driver: driver.apply(CreateGroup(group="T-1", members=members)))

    def breaks(driver: AsaDriver) -> Any:
        asa.agent.faults.arm("reset-before", only="PATCH")
        with pytest.raises(faults.Overloaded):
            driver.apply(RemoveMembers(group="T-1", members=members[:100]))
        return driver.learnt

    def small(driver: AsaDriver) -> Any:
        driver.apply(RemoveMembers(group="T-1", members=members[199:]))
        return driver.learnt

    def whole(driver: AsaDriver) -> Any:
        driver.apply(RemoveMembers(group="T-1", members=members[:100]))
        driver.apply(AddMembers(group="T-1", members=members[:100]))
        return driver.learnt

    learnt: Any = {"batch": 200, "worked": 200}
    for _ in range(3):  # a reset now and then is no matter of size
        learnt = await with_driver(asa, breaks, learnt=learnt)
        assert (learnt["batch"], learnt["doubted"]) == (200, 100)
        learnt = await with_driver(asa, whole, learnt=learnt)
        assert (learnt["batch"], learnt["doubted"]) == (200, 0)
    learnt = await with_driver(asa, breaks, learnt=learnt)
    learnt = await with_driver(asa, small, learnt=learnt)  # proves nothing of the larger one
    learnt = await with_driver(asa, breaks, learnt=learnt)
    assert (learnt["batch"], learnt["worked"], learnt["doubted"]) == (50, 0, 0)


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_taken_is_no_matter_of_size(asa: SimulatedAsa) -> None:
    members = cidrs(*(f"10.1.0.{n}/32" for n in range(200)))
    asa.type_lines(["object-group network T-Block-1", " network-object host 10.2.0.1"])

    def work(driver: AsaDriver) -> Any:
        with pytest.raises(faults.Refused):
            driver.apply(CreateGroup(group="T-Block-1", members=members))
        return driver.learnt

    assert (await with_driver(asa, work, learnt={"singles": 24}))["batch"] == 500


@pytest_twisted.ensureDeferred
async def test_pages_are_followed_to_the_end_and_other_prefixes_left_out(
    asa: SimulatedAsa,
) -> None:
    asa.type_lines(
        line
        for n in range(250)
        for line in (f"object-group network G{n:03d}", " network-object host 192.0.2.1")
    )
    asa.type_lines(["object-group network ZZ-Block-1", " network-object host 192.0.2.2"])
    found = await with_driver(asa, lambda driver: driver.read_groups("ZZ"))
    assert list(found) == ["ZZ-Block-1"]
    assert asa.counts.requests[f"GET {GROUPS}"] == 3


@pytest_twisted.ensureDeferred
async def test_an_empty_device_has_no_groups_with_or_without_kind(asa: SimulatedAsa) -> None:
    for kind in (True, False):
        asa.switches.update({"kind_on_empty_list": kind})
        assert await with_driver(asa, lambda driver: driver.read_groups("T")) == {}


@pytest_twisted.ensureDeferred
async def test_members_of_other_kinds_are_counted_as_foreign(asa: SimulatedAsa) -> None:
    asa.type_lines(
        [
            "object network HOST",
            " host 192.0.2.9",
            "object-group network T-Block-1",
            " network-object host 192.0.2.1",
            " network-object object HOST",
        ]
    )
    found = await with_driver(asa, lambda driver: driver.read_groups("T"))
    assert (found["T-Block-1"].members, found["T-Block-1"].foreign) == (cidrs("192.0.2.1/32"), 1)


@pytest_twisted.ensureDeferred
async def test_a_device_says_who_it_is(asa: SimulatedAsa) -> None:
    who = await with_driver(asa, lambda driver: driver.identify())
    assert who.version == asa.device.profile.asa_version
    assert who.model == "ASAv10"
    assert who.budget_bytes == 500_000
    assert who.entries == 9000
    assert who.serial
    assert who.role is None
    probed = await with_driver(asa, lambda driver: driver.probe())
    assert probed.version == who.version
    # Both are the time of a look less the uptime, which the device tells in whole seconds.
    assert probed.started_at == pytest.approx(who.started_at, abs=5)


@pytest_twisted.ensureDeferred
async def test_the_configuration_is_saved_when_the_device_says_ok(asa: SimulatedAsa) -> None:
    def work(driver: AsaDriver) -> Configuration:
        driver.apply(CreateGroup(group="T-Block-1", members=cidrs("198.51.100.0/24")))
        driver.save()
        return driver.running_config("T")

    found = await with_driver(asa, work)
    assert "object-group network T-Block-1" in found.text
    assert found.size == len(asa.device.running_config().encode())
    assert asa.counts.saves == 1


@pytest_twisted.ensureDeferred
async def test_the_token_is_given_back_even_after_a_fault(asa: SimulatedAsa) -> None:
    asa.switches.update({"token_maximum": 1})
    asa.device.apply_switches()
    for _ in range(3):  # a token that stays would shut the second one out
        with pytest.raises(faults.Refused):
            await with_driver(
                asa, lambda driver: driver.apply(AttachChildren(group="T-A", children=("T-B",)))
            )


@pytest_twisted.ensureDeferred
async def test_an_expired_token_is_renewed_once_for_a_read(asa: SimulatedAsa) -> None:
    def work(driver: AsaDriver) -> None:
        driver.probe()
        asa.device.tokens.lose_all()
        driver.probe()

    await with_driver(asa, work)
    assert asa.counts.requests[TOKENS] == 2


@pytest_twisted.ensureDeferred
async def test_a_change_whose_token_died_is_not_made_and_asks_for_a_new_look(
    asa: SimulatedAsa,
) -> None:
    def work(driver: AsaDriver) -> Any:
        driver.probe()
        asa.device.tokens.lose_all()
        with pytest.raises(faults.SessionLost):
            driver.apply(CreateGroup(group="T-Block-1", members=cidrs("198.51.100.0/24")))
        return driver.learnt

    learnt = await with_driver(asa, work)
    assert "T-Block-1" not in asa.configuration.groups
    assert learnt["basic"]  # a device that loses tokens all the time is spoken to without
    await with_driver(asa, lambda driver: driver.probe(), learnt=learnt)
    assert asa.counts.requests[TOKENS] == 2


@pytest_twisted.ensureDeferred
async def test_no_more_tokens_is_told_in_words(asa: SimulatedAsa) -> None:
    asa.switches.update({"token_maximum": 1, "token_lifetime": 0})
    asa.device.apply_switches()
    assert asa.device.tokens.issue("admin", 0.0) is not None
    with pytest.raises(faults.SessionsUsedUp, match="25"):
        await with_driver(asa, lambda driver: driver.probe())


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_asked_once_and_never_shown(asa: SimulatedAsa) -> None:
    for token_auth in (True, False):
        with pytest.raises(faults.Unauthorised) as caught:
            await with_driver(
                asa,
                lambda driver: driver.probe(),
                password=Secret("hunter2"),
                token_auth=token_auth,
            )
        assert "wrong username or password" in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert not caught.value.retry
    assert sum(asa.counts.requests.values()) == 2


@pytest_twisted.ensureDeferred
async def test_too_little_privilege_is_told_with_the_line_to_type(asa: SimulatedAsa) -> None:
    asa.type_lines(["username reader password readersecret privilege 5"])

    def work(driver: AsaDriver) -> None:
        assert driver.read_groups("T") == {}
        driver.apply(CreateGroup(group="T-Block-1", members=cidrs("198.51.100.0/24")))

    with pytest.raises(faults.Forbidden, match="privilege 15"):
        await with_driver(asa, work, username="reader", password=Secret("readersecret"))


@pytest_twisted.ensureDeferred
async def test_a_self_signed_certificate_needs_a_word_of_the_operator(asa: SimulatedAsa) -> None:
    with pytest.raises(
        faults.Untrusted, match=r"self-signed.*configure fw --fingerprint"
    ) as caught:
        await with_driver(asa, lambda driver: driver.probe(), fingerprint=None)
    assert caught.value.shown == asa.fingerprint
    assert f"--fingerprint {asa.fingerprint}" in str(caught.value)
    assert error_json(caught.value)["certificate"] == asa.fingerprint
    assert not asa.counts.requests
    trusting: list[dict[str, Any]] = [
        {"fingerprint": None, "allow_self_signed": True},
        {"fingerprint": None, "ca_file": str(asa.certificate_path)},
    ]
    for changes in trusting:
        who = await with_driver(asa, lambda driver: driver.probe(), **changes)
        assert who.version


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_file_that_cannot_be_used_is_named(
    asa: SimulatedAsa, tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(faults.Untrusted, match=rf"cannot use CA file {ca_file}"):
        await with_driver(
            asa,
            lambda driver: driver.probe(),
            fingerprint=None,
            allow_self_signed=True,
            ca_file=str(ca_file),
        )
    assert not asa.counts.requests


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_not_the_pinned_one_gets_no_password(
    asa: SimulatedAsa,
) -> None:
    with pytest.raises(faults.IdentityChanged, match=f"fingerprint {asa.fingerprint}"):
        await with_driver(asa, lambda driver: driver.probe(), fingerprint="ab" * 32)
    with pytest.raises(faults.IdentityChanged, match="since the last update"):
        await with_driver(
            asa,
            lambda driver: driver.probe(),
            fingerprint=None,
            allow_self_signed=True,
            learnt={"certificate": "ab" * 32},
        )
    assert not asa.counts.requests


@pytest_twisted.ensureDeferred
async def test_the_certificate_that_was_taken_is_remembered(asa: SimulatedAsa) -> None:
    def work(driver: AsaDriver) -> Any:
        driver.probe()
        return driver.learnt["certificate"]

    kept = await with_driver(asa, work, fingerprint=None, allow_self_signed=True)
    assert kept == asa.fingerprint


@pytest_twisted.ensureDeferred
async def test_nobody_listening_is_told_as_such(asa: SimulatedAsa) -> None:
    settings = settings_for(asa)
    await asa.stopService()

    def work() -> None:
        open_driver(settings).probe()

    with pytest.raises(faults.Unreachable, match=r"connection refused.*http server enable"):
        await in_thread(work)


@pytest_twisted.ensureDeferred
async def test_a_body_that_trickles_is_not_waited_for_beyond_its_time(asa: SimulatedAsa) -> None:
    asa.set_switches({"slow_body_seconds": 600})  # a piece of it at once, the next in a minute

    def work() -> None:
        driver: Any = open_driver(
            settings_for(asa, token_auth=False), bounds=Bounds(read_seconds=5)
        )
        hours = itertools.count(step=3600)
        driver._link._https.monotonic = lambda: float(next(hours))
        try:
            driver.probe()
        finally:
            driver.close()

    with pytest.raises(faults.Overloaded, match="was not completed within the time"):
        await in_thread(work)
    asa.set_switches({"slow_body_seconds": 0.3})
    assert (await with_driver(asa, lambda driver: driver.probe())).version


@pytest_twisted.ensureDeferred
async def test_a_web_server_without_an_agent_is_told_as_such(asa: SimulatedAsa) -> None:
    root = asa.api_url.removesuffix("/api") + "/nothing"
    with pytest.raises(DeviceFault, match="not from a REST API agent"):
        await with_driver(asa, lambda driver: driver.probe(), rest_url=root)


async def read_while_deleted(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch, deletions: int
) -> dict[str, Group]:
    """All groups of ours behind 170 others, of which some go after each page that was read."""
    asa.type_lines(
        line
        for n in range(170)
        for line in (f"object-group network G{n:03d}", " network-object host 192.0.2.1")
    )
    asa.type_lines(
        line
        for n in range(1, 61)
        for line in (f"object-group network ZZ-Block-{n}", " network-object host 192.0.2.2")
    )
    left = list(range(170))
    answer = Agent.reply_to

    def answering(agent: Agent, request: Request) -> Reply:
        reply = answer(agent, request)
        nonlocal deletions
        if request.segments[1:] == ("objects", "networkobjectgroups") and deletions:
            deletions -= 1
            asa.type_lines([f"no object-group network G{left.pop(0):03d}" for _ in range(5)])
        return reply

    monkeypatch.setattr(Agent, "reply_to", answering)
    found: dict[str, Group] = await with_driver(asa, lambda driver: driver.read_groups("ZZ"))
    return found


@pytest_twisted.ensureDeferred
async def test_groups_that_shift_between_pages_are_not_passed_over(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(await read_while_deleted(asa, monkeypatch, 3)) == 60


@pytest_twisted.ensureDeferred
async def test_a_list_that_changes_all_the_time_is_no_answer(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(faults.Overloaded, match="changed while it was read"):
        await read_while_deleted(asa, monkeypatch, 40)


@pytest_twisted.ensureDeferred
async def test_what_is_to_be_typed_against_a_dead_agent_is_taken_by_the_device(
    asa: SimulatedAsa,
) -> None:
    children = [f"ZZ-Block-{n}" for n in (1, 2, 10)]
    for child in children:
        asa.type_lines([f"object-group network {child}", " network-object host 192.0.2.1"])
    asa.type_lines(["object-group network ZZ-Block", *(f" group-object {one}" for one in children)])
    asa.type_lines(["access-list x extended deny ip object-group ZZ-Block any"])
    lines = re.findall(
        r"`((?:no )?(?:object-group network|group-object) [^`]+)`",
        asa_faults.revive("fw", "ZZ", children),
    )
    said = asa.type_lines(lines)
    assert not any(said), said
    assert sorted(asa.configuration.groups) == ["ZZ-Block", "ZZ-Block-1"]


@pytest_twisted.ensureDeferred
async def test_an_agent_that_is_dead_at_login_is_told_with_the_children_that_were_seen(
    asa: SimulatedAsa,
) -> None:
    for child in (f"ZZ-Block-{n}" for n in range(1, 13)):
        asa.type_lines([f"object-group network {child}", " network-object host 192.0.2.1"])

    def work(driver: AsaDriver) -> Any:
        driver.read_groups("ZZ")
        return driver.learnt

    learnt = await with_driver(asa, work, prefix="ZZ")
    asa.kill_agent()

    async def remedy(learnt: Mapping[str, Any], prefix: str = "ZZ") -> str:
        with pytest.raises(DeviceFault) as caught:
            await with_driver(asa, lambda driver: driver.probe(), learnt=learnt, prefix=prefix)
        return caught.value.remedy

    line = "`object-group network ZZ-Block`, `no group-object ZZ-Block-{}`, `no object-group network ZZ-Block-{}`"
    assert line.format(12, 12) in await remedy(learnt)
    unknown = await remedy({})
    assert "`show running-config object-group | include ZZ-Block-` lists them" in unknown
    assert line.format("NUMBER", "NUMBER") in unknown
    assert "YY-Block-NUMBER" in await remedy(learnt, "YY"), "those were of another prefix"
    assert "children" not in await remedy({"groups": ["ZZ-Block-1"]}), "the last one stays"
    assert "NUMBER" in await remedy({"groups": "nonsense"})
