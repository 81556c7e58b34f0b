"""
The service's schedule and its turns, by `Clock`; the device is one in memory.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from tests.kinds.asa.planned_device import StrictDevice
from tscm.base.clock import wall_seconds
from tscm.base.schedule import spread
from tscm.base.secrets import Secret
from tscm.errors import DeviceFault, NoSuchDevice
from tscm.kinds.asa.driver import Configuration, Group, Step
from tscm.kinds.asa.lines import access_list_lines
from tscm.kinds.asa.portions import portions
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.asa.settings import asa
from tscm.kinds.faults import Overloaded, Unauthorised, Unreachable
from tscm.model import Identity, Json, Progress, Traffic
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.store.database import Store, StoreUnusable
from tscm.store.generations import StoredDamaged, decode_entries
from tscm.store.policies import Policies
from tscm.update.answers import Listed, NotHeld
from tscm.update.figures import UpdateCounts
from tscm.update.generation_unknown import GenerationUnknown
from tscm.update.inquiry import NoCidr
from tscm.update.service import UpdateService
from tscm.update.turns import Asker
from tscm.update.ways import Gateways

HOUR = 3600.0


@define(eq=False)
class MemoryDriver:
    """`AsaDriver` on a device in memory; *faults* are raised by the next writes."""

    device: StrictDevice
    faults: list[DeviceFault] = field(factory=list)
    traffic: Traffic = Traffic()
    learnt: Json = field(factory=dict)
    told: tuple[str, ...] = ()
    closed: int = 0
    refuses_login: bool = False
    away: bool = False
    protected: bool = True
    """Do access-lists use the groups?"""

    def probe(self) -> Identity:
        if self.away:
            raise Unreachable("one", "no route", retry=True)
        if self.refuses_login:
            raise Unauthorised("one", "wrong password")
        return Identity(version="9.15(1)1", started_at=1.0)

    identify = probe

    def read_groups(self, prefix: str) -> Mapping[str, Group]:
        return dict(self.device.groups)

    def apply(self, step: Step) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.device.apply(step)

    def portions(self, steps: Sequence[Step]) -> Sequence[Sequence[Step]]:
        return portions(steps, 500, join=True)

    def apply_all(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.apply(step)

    def running_config(self, prefix: str) -> Configuration:
        lines = access_list_lines(f"{prefix}-Block", f"{prefix}-Allow")
        bound = f"access-group {lines[0].split()[1]} global"
        return Configuration(text="\n".join([*lines, bound]) if self.protected else "")

    def look(self, command: str) -> str:
        return ""

    def save(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


@define(eq=False)
class HeldThreads:
    """Threads whose calls run when the test says so."""

    waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = field(factory=list)
    at_once: bool = True
    bug: Exception | None = None

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self.bug is not None:
            return fail(self.bug)
        if self.at_once:
            return execute(call, *args)
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, lambda: call(*args)))
        return done

    def go(self) -> None:
        done, call = self.waiting.pop(0)
        done.callback(call())


def address_of(name: str) -> str:
    """An address of its own for each device."""
    return "198.51.{}.{}".format(*sha256(name.encode()).digest())


@define(eq=False)
class Bench:
    policies: Policies
    clock: Clock = field(factory=Clock)
    threads: HeldThreads = field(factory=HeldThreads)
    entries: list[str] = field(factory=lambda: ["20.0.0.1", "20.0.0.9"])
    serial: int = 1
    drivers: dict[str, MemoryDriver] = field(factory=dict)
    service: UpdateService = field(init=False)

    def __attrs_post_init__(self) -> None:
        node = NodeSettings(policy=PolicySettings(parallel_updates=2))
        self.service = UpdateService(
            self.clock,
            self.threads,  # type: ignore[arg-type]  # a twin with the one method that is used
            node,
            self.policies,
            Gateways(
                fetch=self.fetch,
                opener=self.open,
                resolve=lambda name: (),
                now=lambda: wall_seconds(self.clock),
            ),
        )

    def fetch(
        self, source: ListSource, known: PolicyList | None, now: float, /
    ) -> PolicyList | None:
        if known is not None and known.serial == self.serial:
            return None
        texts = self.entries if source.name == "block.example" else []
        return PolicyList(name=source.name, entries=Entries.of(texts), serial=self.serial)

    def driver(self, name: str) -> MemoryDriver:
        if name not in self.drivers:
            self.drivers[name] = MemoryDriver(StrictDevice({}))
        return self.drivers[name]

    def open(self, settings: DeviceSettings, *_: Any, **__: Any) -> MemoryDriver:
        return self.driver(settings.name)

    def add(self, name: str, **changes: Any) -> DeviceSettings:
        settings = AsaRestSettings(
            **{
                "name": name,
                "device_id": "tdid_test1",
                "device": address_of(name),
                "block_list": "block.example",
                "allow_list": "allow.example",
                "username": "admin",
                "password": Secret("secret"),
                "prefix": "P",
                **changes,
            }
        )
        self.service.set_device(settings)
        return settings


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    bench = Bench(Policies(store))
    yield bench
    bench.service.stopService()
    store.close()
    assert bench.clock.getDelayedCalls() == []


def ignore(_: Progress) -> None:
    pass


def result(run: Deferred[Any]) -> Any:
    found: list[Any] = []
    run.addBoth(found.append)
    assert found, "the run has not ended"
    return found[0]


def failure(ask: Callable[[], Deferred[Any]]) -> BaseException:
    """What the run failed with."""
    found = result(ask())
    assert isinstance(found, Failure)
    assert found.value is not None
    return found.value


def test_each_device_has_a_time_of_its_own_every_interval(bench: Bench) -> None:
    bench.add("one")
    bench.add("two")
    bench.service.startService()
    bench.clock.advance(min(spread("one", HOUR), spread("two", HOUR)) - 1)
    assert not bench.policies.updates("one") + bench.policies.updates("two")
    for _ in range(3 * 60):
        bench.clock.advance(60)
    for name in ("one", "two"):
        times = [update["started_at"] for update in bench.policies.updates(name)]
        assert len(times) == 3
        assert all(at % HOUR == pytest.approx(spread(name, HOUR), abs=60) for at in times)


def test_a_failed_update_does_not_end_the_schedule(bench: Bench) -> None:
    bench.add("one")
    bench.driver("one").faults = [DeviceFault("one", "it is away")]
    bench.service.startService()
    for _ in range(2 * 60):
        bench.clock.advance(60)
    results = [update["result"] for update in bench.policies.updates("one")]
    assert results == ["changed", "failed"]


def test_an_update_on_demand_is_kept_with_its_generation(bench: Bench) -> None:
    bench.add("one")
    outcome = result(bench.service.update_now("one", ignore))
    assert (outcome.result, outcome.generation_number) == ("changed", 1)
    kept = bench.service.questions.generation("one")
    assert decode_entries(kept.block).cidrs() == ["20.0.0.1/32", "20.0.0.9/32"]
    figures = bench.service.figures("one")
    last = figures.last_update
    assert last is not None
    assert last.result == "changed"
    assert last.block is not None
    assert last.block.desired == 2
    assert result(bench.service.update_now("one", ignore)).result == "unchanged"
    assert len(bench.service.questions.history("one").updates) == 2
    assert len(bench.service.questions.history("one").generations) == 1


def test_a_plan_that_is_another_by_now_is_no_outcome_of_the_device(bench: Bench) -> None:
    bench.add("one")
    first = result(bench.service.update_now("one", ignore))
    bench.entries = [*bench.entries, "20.0.0.77"]
    bench.serial += 1
    shown = result(bench.service.plan("one", ignore)).plan_id
    result(bench.service.rollback("one", first.generation_number, ignore))
    bench.entries = [*bench.entries, "20.0.0.78"]
    bench.serial += 1
    before = bench.service.figures("one"), bench.service.questions.history("one")
    held = set(bench.driver("one").device.groups["P-Block-1"].members)

    refused = result(bench.service.update_now("one", ignore, plan=shown))
    assert (refused.result, refused.outdated) == ("refused", True)
    after = bench.service.figures("one"), bench.service.questions.history("one")
    assert after[1] == before[1]
    assert after[0].last_update == before[0].last_update
    assert after[0].held
    assert after[0].since_start is not None
    assert before[0].since_start is not None
    assert after[0].since_start.ended == before[0].since_start.ended
    assert set(bench.driver("one").device.groups["P-Block-1"].members) == held

    done = result(bench.service.update_now("one", ignore, plan=refused.plan_id))
    assert done.result == "changed"
    assert not bench.service.figures("one").held


def test_a_repair_stands_among_the_updates_and_makes_no_generation(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    child = "P-Block-1"
    groups = bench.driver("one").device.groups
    groups[child] = evolve(groups[child], members=groups[child].members[1:])
    outcome = result(bench.service.update_now("one", ignore))
    assert (outcome.result, outcome.generation_number) == ("changed", None)
    kept = bench.service.questions.history("one")
    assert [one.number for one in kept.generations] == [1]
    assert [one["result"] for one in kept.updates] == ["changed", "changed"]


def test_how_updates_ended_is_counted_since_the_start_and_plans_are_no_updates(
    bench: Bench, logged_failures: list[LogEvent]
) -> None:
    bench.add("one")

    def counted() -> UpdateCounts:
        return bench.service.figures("one").since_start

    def update() -> None:
        result(bench.service.update_now("one", ignore))

    assert counted().ended == dict.fromkeys(
        ("changed", "unchanged", "refused", "failed", "stopped"), 0
    )
    bench.driver("one").traffic = Traffic(requests=3, sent=40, received=500)
    result(bench.service.plan("one", ignore))
    update()
    update()
    bench.entries, bench.serial = [], 2  # emptied: the guard refuses it
    update()
    bench.entries, bench.serial = ["20.0.0.1"], 3
    bench.driver("one").refuses_login = True
    update()
    assert counted().ended == {
        "changed": 1,
        "unchanged": 1,
        "refused": 1,
        "failed": 1,
        "stopped": 0,
    }
    spoken = 4  # all but the refused one, which never came to the device
    assert counted().requests == spoken * 3
    assert counted().sent_bytes == spoken * 40
    assert counted().received_bytes == spoken * 500
    bench.threads.bug = RuntimeError("bug")
    assert isinstance(failure(lambda: bench.service.update_now("one", ignore)), RuntimeError)
    assert counted().ended["failed"] == 2


def test_groups_bear_the_installations_own_mark(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    description = bench.driver("one").device.groups["P-Block"].description
    entry = bench.policies.entries()["one"]
    assert description == f"managed by tscm tscm/{bench.policies.installation()}/{entry}"


def test_a_paused_device_is_updated_on_demand_only_and_says_so(bench: Bench) -> None:
    bench.add("one", policy_updates=False)
    bench.service.startService()
    bench.clock.advance(2 * HOUR)
    assert bench.policies.updates("one") == []
    assert bench.service.figures("one").paused
    outcome = result(bench.service.update_now("one", ignore))
    assert outcome.good
    assert outcome.paused


def test_two_runs_of_one_device_never_overlap_and_the_second_waits_its_turn(bench: Bench) -> None:
    bench.threads.at_once = False
    bench.add("one")
    first = bench.service.update_now("one", ignore)
    second = bench.service.update_now("one", ignore)
    assert len(bench.threads.waiting) == 1
    bench.threads.go()
    assert result(first).result == "changed"
    assert len(bench.threads.waiting) == 1
    bench.threads.go()
    assert result(second).result == "unchanged"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"device": "198.51.100.1"}, {"rest_url": "https://198.51.100.1:443/api"}),
        ({"device": "198.51.100.1"}, {"device": "198.51.100.2"}),
    ],
    ids=["url", "serial"],
)
def test_two_entries_of_one_firewall_take_turns(
    bench: Bench, first: dict[str, str], second: dict[str, str]
) -> None:
    bench.threads.at_once = False
    bench.add("one", **first)
    bench.add("two", **second, prefix="Q")
    for name in ("one", "two"):
        bench.service.note_serial(name, Identity(serial="9A8NXWLKUGX"))
    told: list[str] = []
    runs = [
        bench.service.update_now("one", ignore),
        bench.service.update_now(
            "two", ignore, asker=Asker(what="an update", who="me", wait=told.append)
        ),
    ]
    assert len(bench.threads.waiting) == 1
    assert told
    assert told[0].startswith("a call of one has been in progress since")
    bench.threads.go()
    assert len(bench.threads.waiting) == 1
    bench.threads.go()
    assert [result(run).result for run in runs] == ["changed"] * 2


def test_who_waits_for_the_firewall_ends_the_pause_of_the_other_entry(bench: Bench) -> None:
    bench.add("one", device="198.51.100.1")
    bench.add("two", device="198.51.100.1", prefix="Q")
    bench.driver("one").faults = [Overloaded("one", "500")]
    first = bench.service.update_now("one", ignore)
    assert not first.called
    second = bench.service.update_now("two", ignore)
    assert [result(run).result for run in (first, second)] == ["changed"] * 2


def test_no_more_devices_at_a_time_than_the_setting(bench: Bench) -> None:
    bench.threads.at_once = False
    runs = []
    for name in ("one", "two", "three"):
        bench.add(name)
        runs.append(bench.service.update_now(name, ignore))
    assert len(bench.threads.waiting) == 2
    for _ in range(3):
        bench.threads.go()
    assert [result(run).result for run in runs] == ["changed"] * 3


def test_a_device_that_pauses_holds_no_place(bench: Bench) -> None:
    for name in ("one", "two"):
        bench.add(name)
        bench.driver(name).faults = [Overloaded(name, "500")]
    bench.add("three")
    paused = [bench.service.update_now(name, ignore) for name in ("one", "two")]
    assert not any(run.called for run in paused)
    assert bench.service.figures("one").waiting_until == 60
    assert result(bench.service.update_now("three", ignore)).result == "changed"
    bench.clock.advance(60)
    assert [result(run).result for run in paused] == ["changed"] * 2


def test_an_update_on_demand_ends_a_pause(bench: Bench) -> None:
    bench.add("one")
    bench.driver("one").faults = [Overloaded("one", "500")]
    first = bench.service.update_now("one", ignore)
    assert not first.called
    second = bench.service.update_now("one", ignore)
    assert result(first).result == "changed"
    assert result(second).result == "unchanged"
    assert bench.clock.getDelayedCalls() == []


def test_pauses_grow_and_the_fifth_failure_stops_with_the_commands(bench: Bench) -> None:
    bench.add("one")
    driver = bench.driver("one")
    driver.faults = [Overloaded("one", f"500 number {n}") for n in range(5)]
    run = bench.service.update_now("one", ignore)
    for pause in (60, 120, 240, 480):
        bench.clock.advance(pause - 1)
        assert not run.called
        bench.clock.advance(1)
    outcome = result(run)
    assert outcome.result == "failed"
    assert "fifth failure" in outcome.error
    assert "no rest-api agent" in outcome.error
    assert "P-Block-10" not in outcome.error  # nothing was there to be named
    assert "show running-config object-group | include P-Block-" in outcome.error
    assert len(outcome.failures) == 5
    assert driver.closed == 5
    assert bench.service.figures("one").stopped_at_failure


def test_after_the_fifth_failure_scheduled_runs_try_once_until_one_is_good(bench: Bench) -> None:
    bench.add("one")
    driver = bench.driver("one")
    driver.faults = [Overloaded("one", f"500 number {n}") for n in range(6)]
    bench.service.update_now("one", ignore)
    bench.clock.pump([60, 120, 240, 480])
    bench.service.startService()
    bench.clock.advance(HOUR)
    updates = bench.policies.updates("one")
    assert [len(update["failures"]) for update in updates] == [1, 5]
    bench.clock.advance(HOUR)
    assert not bench.service.figures("one").stopped_at_failure


def test_after_two_wrong_passwords_no_scheduled_run_logs_in(bench: Bench) -> None:
    settings = bench.add("one")
    bench.driver("one").refuses_login = True
    bench.service.startService()
    for _ in range(5 * 60):
        bench.clock.advance(60)
    assert len(bench.policies.updates("one")) == 2
    assert bench.service.figures("one").locked_out
    bench.driver("one").refuses_login = False
    bench.add("one", password=Secret("right"))
    for _ in range(60):
        bench.clock.advance(60)
    assert bench.policies.updates("one")[0]["result"] == "changed"
    assert asa(settings).password != Secret("right")


def test_a_scheduled_run_that_waited_for_its_turn_does_not_try_a_third_password(
    bench: Bench,
) -> None:
    bench.add("one")
    bench.driver("one").refuses_login = True
    bench.threads.at_once = False
    runs = [bench.service.update_now("one", ignore) for _ in range(2)]
    bench.service.startService()
    bench.clock.advance(HOUR)
    for _ in range(2):
        bench.threads.go()
    assert [result(run).result for run in runs] == ["failed"] * 2
    assert not bench.threads.waiting
    assert len(bench.policies.updates("one")) == 2


def test_a_password_refused_to_a_plan_or_a_purge_counts_towards_the_lock_out(bench: Bench) -> None:
    bench.add("one")
    driver = bench.driver("one")
    driver.refuses_login = True
    assert not result(bench.service.plan("one", ignore)).good
    assert isinstance(failure(lambda: bench.service.purge("one", ignore)), Unauthorised)
    assert bench.service.figures("one").locked_out
    assert [one["act"] for one in bench.policies.updates("one")] == ["purge"]  # a plan is none
    bench.service.startService()
    bench.clock.advance(HOUR)
    assert len(bench.policies.updates("one")) == 1
    driver.refuses_login = False
    assert result(bench.service.plan("one", ignore)).good
    assert not bench.service.figures("one").locked_out


@pytest.mark.parametrize(
    ("changes", "left"),
    [({"password": Secret("new")}, "ab"), ({"device": "198.51.100.2"}, None)],
    ids=["password", "address"],
)
def test_a_run_under_way_brings_nothing_back_that_new_settings_made_untrue(
    bench: Bench, changes: dict[str, Any], left: str | None
) -> None:
    bench.add("one")
    driver = bench.driver("one")
    driver.learnt = {"certificate": "ab"}
    driver.refuses_login = True
    bench.threads.at_once = False
    for _ in range(2):
        bench.service.update_now("one", ignore)
    bench.threads.go()
    bench.add("one", **changes)
    bench.threads.go()
    assert not bench.service.figures("one").locked_out
    assert bench.service.figures("one").certificate == left


def test_runs_that_wait_for_their_turn_ask_no_device_once_the_manager_stops(bench: Bench) -> None:
    bench.threads.at_once = False
    names = ["one", "two", "three", "four"]
    for name in names:
        bench.add(name)
    runs = [bench.service.update_now(name, ignore) for name in names]
    stopped = bench.service.stopService()
    while bench.threads.waiting:
        bench.threads.go()
    assert stopped.called
    assert [result(run).result for run in runs] == ["stopped"] * 4
    assert not any(bench.driver(name).closed for name in names)


def test_a_bug_in_a_run_whose_timer_is_gone_is_logged_with_the_devices_name(
    bench: Bench, logged_failures: list[LogEvent]
) -> None:
    bench.add("one")
    bench.threads.at_once = False
    bench.service.startService()
    bench.clock.advance(HOUR)
    bench.add("one")  # the timer is a new one, the run goes on
    done, _ = bench.threads.waiting.pop(0)
    done.errback(ZeroDivisionError("bug"))
    event = logged_failures.pop()
    assert (event["device"], event["log_failure"].type) == ("one", ZeroDivisionError)


def test_stopping_gives_up_a_pause_at_once_and_keeps_the_outcome(bench: Bench) -> None:
    bench.add("one")
    bench.driver("one").faults = [Overloaded("one", "500")]
    run = bench.service.update_now("one", ignore)
    stopped = bench.service.stopService()
    assert stopped.called
    assert result(run).result == "stopped"
    assert bench.policies.updates("one")[0]["result"] == "stopped"


def test_stopping_waits_for_the_call_that_is_under_way(bench: Bench) -> None:
    bench.threads.at_once = False
    bench.add("one")
    bench.service.startService()
    bench.clock.advance(HOUR)
    assert len(bench.threads.waiting) == 1
    stopped = bench.service.stopService()
    assert not stopped.called
    bench.threads.go()
    assert stopped.called
    assert bench.policies.updates("one")[0]["result"] == "stopped"


def test_a_forgotten_device_leaves_nothing_even_from_a_run_under_way(bench: Bench) -> None:
    bench.threads.at_once = False
    bench.add("one")
    run = bench.service.update_now("one", ignore)
    bench.service.forget_device("one")
    bench.threads.go()
    assert result(run).result == "stopped"
    assert bench.policies.updates("one") == []
    assert bench.policies.lists("one") == {}
    with pytest.raises(NoSuchDevice):
        bench.service.update_now("one", ignore)


@pytest.mark.parametrize("name", ["one", "another"])
def test_a_device_that_is_added_again_waits_for_the_run_that_ends(bench: Bench, name: str) -> None:
    bench.threads.at_once = False
    bench.add("one")
    first = bench.service.update_now("one", ignore)
    bench.service.forget_device("one")
    bench.add(name, device=address_of("one"))
    second = bench.service.update_now(name, ignore)
    assert len(bench.threads.waiting) == 1
    bench.threads.go()
    assert result(first).result == "stopped"
    bench.threads.go()
    assert result(second).result == "changed"


def test_changed_settings_are_used_by_the_next_run(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    bench.add("one", max_policy_size=1)
    outcome = result(bench.service.update_now("one", ignore))
    assert outcome.block.cut == 1


def test_a_plan_is_not_kept_and_changes_nothing(bench: Bench) -> None:
    bench.add("one")
    outcome = result(bench.service.plan("one", ignore))
    assert outcome.result == "planned"
    assert bench.policies.updates("one") == []
    assert bench.driver("one").device.groups == {}


def test_a_rollback_holds_scheduled_updates_until_someone_resumes(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    bench.entries, bench.serial = ["20.0.0.1", "20.0.0.7"], 2
    result(bench.service.update_now("one", ignore))
    outcome = result(bench.service.rollback("one", 1, ignore))
    assert outcome.generation_number == 3
    members = bench.driver("one").device.groups["P-Block-1"].members
    assert set(members) == {"20.0.0.1/32", "20.0.0.9/32"}
    bench.service.startService()
    bench.clock.advance(2 * HOUR)
    assert bench.service.figures("one").held
    assert set(bench.driver("one").device.groups["P-Block-1"].members) == set(members)
    bench.service.resume("one")
    bench.clock.advance(HOUR)
    assert "20.0.0.7/32" in bench.driver("one").device.groups["P-Block-1"].members
    with pytest.raises(GenerationUnknown, match="policy history one"):
        bench.service.rollback("one", 77, ignore)


def test_a_rollback_is_bound_to_the_newest_generation_that_was_shown(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    bench.entries, bench.serial = ["20.0.0.1", "20.0.0.7"], 2
    result(bench.service.update_now("one", ignore))
    refused = failure(lambda: bench.service.rollback("one", 1, ignore, newest=1))
    assert "generation 2 of one is the newest by now, so nothing was pushed" in str(refused)
    assert not bench.service.figures("one").held
    assert result(bench.service.rollback("one", 1, ignore, newest=2)).generation_number == 3


def test_a_bug_in_a_run_is_logged_and_the_schedule_goes_on(
    bench: Bench, logged_failures: list[LogEvent]
) -> None:
    bench.add("one")
    bench.threads.bug = ZeroDivisionError("bug")
    bench.service.startService()
    bench.clock.advance(HOUR)
    bench.threads.bug = None
    bench.clock.advance(HOUR)
    assert bench.policies.updates("one")[0]["result"] == "changed"
    assert "policy update of one" in str(logged_failures.pop())


def test_questions_are_answered_from_what_is_stored(bench: Bench) -> None:
    bench.add("one", max_policy_size=1)
    assert "tsadmin update one" in str(
        failure(lambda: bench.service.questions.why("one", "20.0.0.1"))
    )
    result(bench.service.update_now("one", ignore))
    standing = result(bench.service.questions.why("one", "20.0.0.1"))
    assert standing.verdict.startswith("blocked")
    gone = result(bench.service.questions.dropped("one"))
    assert gone.block == NotHeld(count=1, entries=("20.0.0.9/32",))
    assert result(bench.service.questions.dropped("one", "20.0.0.1")).block.count == 0
    assert "tsadmin" not in str(failure(lambda: bench.service.questions.why("one", "nonsense")))


def test_two_generations_are_compared(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    bench.entries, bench.serial = ["20.0.0.1", "20.0.0.7"], 2
    result(bench.service.update_now("one", ignore))
    changes = result(bench.service.questions.diff("one", 1))
    assert changes.block.added == Listed(count=1, entries=("20.0.0.7/32",))
    assert changes.block.removed == Listed(count=1, entries=("20.0.0.9/32",))
    assert (changes.older.number, changes.newer.number) == (1, 2)


def test_a_purge_waits_for_its_turn_and_ends_the_schedule(bench: Bench) -> None:
    bench.add("one")
    bench.service.startService()
    result(bench.service.update_now("one", ignore))
    done = result(bench.service.purge("one", ignore))
    assert done.complete
    assert bench.driver("one").device.groups == {}
    bench.clock.advance(3 * HOUR)
    assert bench.driver("one").device.groups == {}


def test_fifty_devices_are_updated_while_one_does_not_answer(bench: Bench) -> None:
    bench.threads.at_once = False
    names = [f"fw{number}" for number in range(50)]
    for name in names:
        bench.add(name)
    runs = {name: bench.service.update_now(name, ignore) for name in names}
    slow = bench.threads.waiting.pop(0)  # fw0 has been called and says nothing
    while bench.threads.waiting:
        assert len(bench.threads.waiting) == 1  # the other of two places
        bench.threads.go()
    assert not runs.pop("fw0").called
    assert all(result(run).result == "changed" for run in runs.values())
    slow[0].callback(slow[1]())


def test_a_device_is_asked_in_its_turn(bench: Bench) -> None:
    bench.threads.at_once = False
    bench.add("one")
    update = bench.service.update_now("one", ignore)
    asked = bench.service.ask_device("one", lambda job: job.settings.name)
    assert len(bench.threads.waiting) == 1
    bench.threads.go()
    assert result(update).good
    bench.threads.go()
    assert result(asked) == "one"


def test_with_a_store_that_broke_later_a_device_is_asked_all_the_same(
    bench: Bench, tmp_path: Path
) -> None:
    settings = bench.add("one")
    bench.service.startService()
    result(bench.service.update_now("one", ignore))
    with closing(sqlite3.connect(tmp_path / "tscm.db")) as other:
        other.executescript("DROP TABLE lists; DROP TABLE devices")
    assert isinstance(failure(lambda: bench.service.plan("one", ignore)), StoreUnusable)
    asked = bench.service.ask_device("one", lambda job: job.settings.name, refused=bool)
    assert result(asked) == "one"
    assert "cannot be used" in str(bench.service.figures("one").fault)
    bench.service.set_device(evolve(settings, device="198.51.100.2"))
    assert bench.service.figures("one").next_run_at is not None  # its schedule goes on


def test_a_password_refused_to_who_only_asked_counts_before_the_next_has_his_turn(
    bench: Bench,
) -> None:
    bench.add("one")
    bench.driver("one").refuses_login = True
    assert not result(bench.service.update_now("one", ignore)).good
    bench.service.startService()
    bench.threads.at_once = False
    asked = bench.service.ask_device("one", lambda job: job.settings.name, refused=bool)
    bench.clock.advance(HOUR)  # a scheduled run waits for its turn
    bench.threads.go()
    assert result(asked) == "one"
    assert bench.threads.waiting == []  # and would have been the third to try
    assert bench.service.figures("one").locked_out


def test_without_its_store_devices_come_and_go_and_what_is_asked_is_refused_with_the_cause(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tscm.db"
    path.write_bytes(b"no database\n" * 500)
    store = Store(path)
    with pytest.raises(StoreUnusable):
        store.open()
    bench = Bench(Policies(store))
    settings = bench.add("one")
    bench.service.set_device(evolve(settings, device="198.51.100.2"))
    assert "cannot be used" in str(bench.service.figures("one").fault)
    with pytest.raises(StoreUnusable):
        bench.service.update_now("one", ignore)
    assert isinstance(failure(lambda: bench.service.plan("one", ignore)), StoreUnusable)
    asked = bench.service.ask_device("one", lambda job: job.settings.name, refused=bool)
    assert result(asked) == "one"
    assert bench.clock.getDelayedCalls() == []
    bench.service.forget_device("one")
    bench.add("two")
    path.unlink()
    store.open()
    bench.service.startService()
    assert bench.service.figures("two").fault is None
    assert result(bench.service.update_now("two", ignore)).good
    bench.service.stopService()
    store.close()
    assert bench.clock.getDelayedCalls() == []


def damage(bench: Bench, table: str, column: str) -> None:
    """Cut the end off everything that *table* has in *column*."""
    with bench.policies._store.transaction() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = SUBSTR({column}, 1, LENGTH({column}) - 3)")


def test_a_damaged_generation_is_no_rollback_and_holds_nothing(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    damage(bench, "generations", "allow")
    with pytest.raises(StoredDamaged, match="generation 1 of one"):
        bench.service.rollback("one", 1, ignore)
    assert not bench.service.figures("one").held
    assert isinstance(failure(lambda: bench.service.questions.diff("one", 1)), StoredDamaged)


def test_why_tells_damage_from_a_bad_address(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    assert isinstance(failure(lambda: bench.service.questions.why("one", "nonsense")), NoCidr)
    damage(bench, "generations", "block")
    assert isinstance(
        failure(lambda: bench.service.questions.why("one", "20.0.0.1")), StoredDamaged
    )
    assert isinstance(failure(lambda: bench.service.questions.dropped("one")), StoredDamaged)
    damage(bench, "lists", "content")
    assert "fetch it again with" in str(
        failure(lambda: bench.service.questions.why("one", "20.0.0.1"))
    )


def why_each(bench: Bench, names: Sequence[str], asked: str) -> dict[str, Any]:
    async def asking() -> dict[str, Any]:
        found: dict[str, Any] = {}
        async for some in bench.service.questions.why_each(names, asked):
            found |= some
        return found

    told: dict[str, Any] = result(Deferred.fromCoroutine(asking()))
    return told


@pytest.mark.parametrize("asked", ["20.0.0.1", "20.0.0.0/24", "20.0.0.8/31", "2001:db8::1"])
def test_many_devices_are_asked_as_each_by_itself(bench: Bench, asked: str) -> None:
    names = [f"fw{number}" for number in range(23)]
    for number, name in enumerate(names):
        bench.add(name, **({"max_policy_size": 1} if number % 3 else {}))
    for number, name in enumerate(names[:-1]):
        bench.entries = ["20.0.0.0/25", "20.0.0.128/25", f"20.0.1.{number % 2}"]
        bench.serial = 2 + number % 2
        result(bench.service.update_now(name, ignore))
    found = why_each(bench, [*names, "nobody"], asked)
    assert isinstance(found.pop("nobody"), NoSuchDevice)
    assert "no policy" in str(found.pop(names[-1]))
    assert found == {name: result(bench.service.questions.why(name, asked)) for name in names[:-1]}


def test_what_many_devices_hold_is_unpacked_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []

    def noted(content: bytes) -> Entries:
        opened.append(content)
        return decode_entries(content)

    names = [f"fw{number}" for number in range(30)]
    for name in names:
        bench.add(name)
        result(bench.service.update_now(name, ignore))
    monkeypatch.setattr("tscm.update.inquiry.decode_entries", noted)
    monkeypatch.setattr("tscm.store.generations.decode_entries", noted)
    found = why_each(bench, names, "20.0.0.1")
    assert {one.verdict for one in found.values()} == {"blocked"}
    assert len(opened) == 4, "two lists, as published and as in force"


def test_an_update_stores_damaged_lists_and_generations_anew(bench: Bench) -> None:
    bench.add("one")
    result(bench.service.update_now("one", ignore))
    damage(bench, "generations", "block")
    damage(bench, "lists", "content")
    again = result(bench.service.update_now("one", ignore))
    assert (again.result, again.generation_number) == ("unchanged", 2)
    assert "generation 1 was damaged in the database" in again.notes
    assert sum("and was fetched again" in note for note in again.notes) == 2
    assert not any("by hand" in note for note in again.notes)
    assert result(bench.service.questions.why("one", "20.0.0.1")).verdict
    third = result(bench.service.update_now("one", ignore))
    assert (third.result, third.generation_number, third.notes) == ("unchanged", None, ())
