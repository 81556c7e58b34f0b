"""
What a firewall that pulls is told to enter, what `add` asks of it, and what the doctor says.
"""

from typing import Any

import pytest

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.devices.stored import changed, propose
from tscm.doctor.firewall import Collector, Heard
from tscm.kinds.kind import Capability, kind_named, require
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.lists.doctor import ListLook, look
from tscm.kinds.lists.probe import OwnListener, Served
from tscm.settings.node import Listen, NodeSettings
from tscm.settings.pulled import PullSettings, pulling
from tscm.settings.schema import read_table
from tscm.standing import Verdict

NODE = NodeSettings(
    address="192.0.2.5",
    listen=Listen(lists=(HostPort("0.0.0.0", 8443),), lists_names=("tscm.example",)),
)
GIVEN = {
    "name": "edge",
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
}
COLLECTOR = Collector(addresses=frozenset({"192.0.2.5"}), ports={})
NOW, DAY = 1_000_000_000.0, 86400.0


def device(kind: str, **more: Any) -> PullSettings:
    return pulling(propose({"type": kind, **GIVEN, **more}))


@pytest.mark.parametrize("kind", CONSUMERS)
def test_the_lines_lead_to_the_list_and_back(kind: str) -> None:
    settings = device(kind, pull_user="fw", pull_password="hidden-password")
    secret = settings.pull_secret
    assert secret is not None
    lines = kind_named(kind).setup(settings, NODE)
    url = f"https://tscm.example:8443/edge/{secret.reveal()}/"
    main = settings.BLOCK_FILES[0]
    assert f"{url}{main}" in lines
    assert ("clear pull_user" if kind == "firepower" else "fw") in lines
    assert "hidden-password" not in lines
    assert "tsadmin update edge" in lines
    assert lines.isascii()
    for file in {part.split('"')[0].split("\\")[0] for part in lines.split(url)[1:]}:
        name = file.split()[0].removesuffix(".md5")
        assert name in CONSUMERS[kind].render(_nothing())
    back = kind_named(kind).way_back(settings, NODE, ())
    assert secret.reveal() not in back
    if kind != "generic":
        assert "ThreatSTOP-Block" in back
    assert all(len(line) < 1000 for line in lines.splitlines())


def _nothing() -> Any:
    from tscm.kinds.lists.render import Lists
    from tscm.policy.cidr import CidrSet

    return Lists(block=CidrSet(), allow=CidrSet())


@pytest.mark.parametrize(
    ("minutes", "recurring"),
    [(1, "five-minute"), (30, "five-minute"), (60, "hourly"), (1439, "hourly"), (1440, "daily")],
)
def test_panos_is_told_to_come_no_later_than_it_is_expected(minutes: int, recurring: str) -> None:
    lines = kind_named("panos").setup(device("panos", pull_minutes=minutes), NODE)
    assert f"type ip recurring {recurring}" in lines


def test_a_url_is_short_enough_for_fortios_with_the_longest_name() -> None:
    settings = device("fortinet", name="n" * 63, pull_secret="s" * 64)
    lines = kind_named("fortinet").setup(settings, NODE)
    (url,) = (one for one in lines.split('"') if one.endswith("/block.txt"))
    assert len(url) <= 511


def test_what_is_not_set_yet_is_said() -> None:
    lines = kind_named("generic").setup(device("generic"), NodeSettings())
    assert "set lists under [listen] in tscm.toml" in lines
    assert "MANAGER-ADDRESS" in lines
    masked = device("generic", pull_secret=Secret("********"))
    assert "/edge/SECRET/block.txt" in kind_named("generic").setup(masked, NODE)


@pytest.mark.parametrize("kind", CONSUMERS)
def test_add_asks_only_what_such_a_device_needs(kind: str) -> None:
    found = kind_named(kind)
    assert found.needed == ("device_id", "device", "block_list", "allow_list")
    names = {one.name for one in found.questions}
    assert not {"username", "password", "prefix", "object_group_size"} & names
    assert found.module == "ts-lists"
    settings = device(kind)
    require(settings, Capability.PURGE)
    with pytest.raises(Exception, match="cannot be tested"):
        require(settings, Capability.TEST)


def test_each_device_has_a_secret_of_its_own_that_stays() -> None:
    one, two = device("panos"), device("panos")
    assert one.pull_secret is not None
    assert one.pull_secret != two.pull_secret
    assert propose({"pull_minutes": 5}, one).pull_secret == one.pull_secret  # type: ignore[attr-defined]
    other = propose({"pull_secret": "another-secret-of-the-path"}, one)
    assert any("URLs of its lists have changed" in note for note in changed(one, other, None).notes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pull_secret", "short"),
        ("pull_secret", "with/slash-and-more-of-it"),
        ("pull_user", "a:b"),
        ("pull_sources", "192.0.2.1/24"),
        ("pull_minutes", 0),
        ("max_policy_size", 1_000_001),
    ],
)
def test_what_no_consumer_takes_is_refused(name: str, value: Any) -> None:
    table = {"type": "generic", **GIVEN, name: value}
    settings, faults = read_table(CONSUMERS["generic"].settings, table)
    assert settings is None
    assert [one.where for one in faults] == [name]


def verdicts(look: ListLook) -> dict[str, Verdict]:
    return {one.link: one.verdict for one in look.judge(COLLECTOR)}


GOOD = Served(
    where="127.0.0.1:8443", status=404, names=("tscm.example",), expires_at=NOW + 90 * DAY
)


@pytest.mark.parametrize(
    ("served", "listener", "certificate"),
    [
        (GOOD, Verdict.OK, Verdict.OK),
        (None, Verdict.FAILED, Verdict.NOT_CHECKED),
        (Served(where="x", fault="Connection refused"), Verdict.FAILED, Verdict.NOT_CHECKED),
        (Served(where="x", status=200, names=("a",), expires_at=NOW + 90 * DAY), Verdict.FAILED, Verdict.OK),
        (Served(where="x", status=404, names=("a",), expires_at=NOW - 1), Verdict.OK, Verdict.FAILED),
        (Served(where="x", status=404, names=("a",), expires_at=NOW + DAY), Verdict.OK, Verdict.WARNING),
        (Served(where="x", status=404, names=("10.0.0.1",), expires_at=NOW + 90 * DAY), Verdict.OK, Verdict.WARNING),
    ],
)  # fmt: skip
def test_the_doctor_says_what_a_firewall_would_meet(
    served: Served | None, listener: Verdict, certificate: Verdict
) -> None:
    found = verdicts(ListLook(now=NOW, served=served))
    assert found == {"list listener": listener, "list certificate": certificate}


def test_the_doctor_asks_nobody_where_it_must_not_and_our_own_listener_else() -> None:
    settings = device("generic")
    resting = look(settings, lambda: pytest.fail("asked"), lambda: NOW, lambda _: None, resting="x")
    assert set(verdicts(resting).values()) == {Verdict.NOT_CHECKED}
    nowhere = look(settings, lambda: OwnListener(NodeSettings()), lambda: NOW, lambda _: None)
    assert verdicts(nowhere)["list listener"] is Verdict.FAILED
    (effect,) = nowhere.judge_effect(Heard(hits=3))
    assert effect.verdict is Verdict.OK
    (effect,) = nowhere.judge_effect(Heard(hits=0))
    assert effect.verdict is Verdict.WARNING
