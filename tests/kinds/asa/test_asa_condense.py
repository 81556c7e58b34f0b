"""
A condensed configuration tells all who ask what the whole one tells.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.asa.test_asa_running import TEXT
from tscm.kinds.asa.condense import condense
from tscm.kinds.asa.doctor.judge_protection import judge_log, judge_use, lines_missing
from tscm.kinds.asa.enforcing import entries_in_force
from tscm.kinds.asa.groups import KINDS
from tscm.kinds.asa.purge import lines_using
from tscm.kinds.asa.refusals import taken_names
from tscm.kinds.asa.running import RunningConfig, read_running

LINES = [
    "access-list a extended deny ip any object-group X-Block log",
    "access-list a extended deny ip object-group X-Block any log disable",
    "access-list a extended permit ip object-group X-Allow any log",
    "access-list a extended permit ip any object-group X-Allow",
    "access-list a extended permit ip any any",
    "access-list a extended permit ip any any object-group Web",
    "access-list a extended deny tcp any any eq 80",
    "access-list a extended permit ip any4 any inactive",
    "access-list b extended deny ip object-group X-Block any",
    "access-list b extended deny object-group Web any object-group X-Block",
    "access-list b extended deny ip any object-group X-Block object-group Web",
    "access-list b extended permit ip any any",
    "access-list b remark object-group X-Block",
    "access-list c extended permit ip any object-group XX-Block",
    "access-list split standard permit host 192.0.2.1",
    "access-group a in interface outside",
    "access-group b global",
    "object-group service Web tcp",
    " port-object eq www",
    "object-group service X-Block-7",
    "object network X-Allow",
    " host 192.0.2.1",
    "object-group network X-Block",
    " group-object X-Block-1",
    " network-object host 192.0.2.1",
    "object-group network Mine",
    " description object-group X-Block",
    " group-object X-Block-1",
    "interface GigabitEthernet0/1",
    " nameif inside",
    " security-level 100",
    " ip address 192.0.2.1 255.255.255.0",
    " management-only",
    "!",
    "logging enable",
    "logging trap informational",
    "logging host inside 192.0.2.9 6/1470",
    "logging permit-hostdown",
    "no logging message 106023",
    "username api password x privilege 5",
    "crypto ca certificate chain x",
    "  308202d6 object-group X-Block 30820",
    "",
]


def told(text: str) -> list[object]:
    """All that is asked of a configuration."""
    config = read_running(text)
    return [
        config.bindings,
        config.interfaces,
        config.log_enabled,
        config.log_hosts,
        config.trap,
        config.trap_list,
        config.permit_hostdown,
        config.silenced,
        config.privileges,
        [entries_in_force(config, "X", kind) for kind in KINDS],
        [config.using(f"X-{kind}") for kind in KINDS],
        judge_use(config, "X"),
        judge_log(config, "X"),
        lines_missing(config, "X"),
        [lines_using(text, name) for name in ("X-Block", "X-Allow", "X-Block-1")],
        taken_names(text, "X"),
    ]


@given(st.lists(st.sampled_from(LINES), max_size=40).map("\n".join))
def test_whoever_asks_is_told_the_same(text: str) -> None:
    assert told(condense(text, "X")) == told(text)


def test_what_nobody_asks_for_is_left_out() -> None:
    short = condense(TEXT, "X")
    assert told(short) == told(TEXT)
    for word in ("hostname", "remark", "standard", "port-object", "no nameif"):
        assert word not in short
    assert condense(short, "X") == short


def test_what_an_entry_is_narrowed_by_is_known_as_such() -> None:
    line = "access-list a extended deny ip any object-group X-Block object-group Web"
    (entry,) = read_running(condense(f"object-group service Web tcp\n{line}", "X")).using("X-Block")
    assert entry.narrowed


@pytest.mark.parametrize("word", ["user a ", "object-group-user a ", "security-group name a "])
def test_a_line_longer_than_any_command_is_no_entry(word: str) -> None:
    line = f"access-list a extended permit ip {word * 100_000}any any"
    assert condense(line, "X") == ""
    assert type(read_running(line)) is RunningConfig
