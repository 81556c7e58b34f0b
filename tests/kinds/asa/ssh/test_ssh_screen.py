"""
What an ASA prints, cut anywhere: the same events; and recorded sessions.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.kinds.asa.cli.verdicts import Verdict, judge
from tscm.kinds.asa.ssh.prompts import PromptShape, looks_like_prompt
from tscm.kinds.asa.ssh.screen import (
    Candidate,
    Echo,
    Event,
    Line,
    PageFull,
    PasswordAsked,
    PrintsTooMuch,
    Prompted,
    ReportingAsked,
    Screen,
)

RECORDED = Path(__file__).parents[5] / "shared" / "conformance" / "asa-cli"
MARK = "!k3"
LOGIN = (
    b"\r\n* fw1# is watched *\r\nfw9> not a prompt\r\nUser admin logged in to fw1\r\n"
    b"Type help or '?' for a list of available commands.\r\n\rfw1/pri/act> !k3\r\n\rfw1/pri/act> "
)


def fed(data: bytes, cuts: list[int], *, asks: bool = False, **bounds: Any) -> list[Event]:
    """The events of *data* in pieces; candidates are left out, for they may come early."""
    screen = Screen(MARK, **bounds)
    if asks:
        screen.password_expected = True
    events: list[Event] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        events += screen.feed(data[start:end])
    return [event for event in events if not isinstance(event, Candidate)]


def after_login(data: bytes, cuts: list[int], *, asks: bool = False) -> list[Event]:
    """The events behind those of the login."""
    screen = Screen(MARK)
    screen.feed(LOGIN)
    if asks:
        screen.password_expected = True
    events: list[Event] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        events += screen.feed(data[start:end])
    return events


def shown(events: list[Event]) -> list[str]:
    found = []
    for event in events:
        match event:
            case Echo(text):
                found.append(f"echo {text}")
            case Line(text):
                found.append(text)
            case Prompted(prompt):
                found.append(f"prompt {prompt.text}")
            case _:
                found.append(type(event).__name__)
    return found


def test_the_prompt_is_what_stands_before_the_mark_whatever_the_banner_says() -> None:
    events = fed(LOGIN, [])
    assert shown(events)[-2:] == ["echo !k3", "prompt fw1/pri/act> "]
    assert "fw9> not a prompt" in shown(events)


PIECES = st.sampled_from(
    [
        b"show clock\r\n",
        b"\rfw1/pri/act# ",
        b"fw1/sec/stby# ",
        b"fw1/pri/act(config)# ",
        b"fw1/pri/act(config-network-object-group)# ",
        b" network-object host 192.0.2.1\r\n",
        b"\r\n",
        b"<--- More --->",
        b"\r              \r",
        b"Beginning configuration replication: Sending to mate.\r\n",
        b"End Configuration Replication to mate\r\n",
        b"Would you like to enable anonymous error reporting to help improve the product?"
        b" [Y]es, [N]o, [A]sk later",
        b"banner motd [A]sk later\r\n",
        b"Password: ",
        b"****\r\n",
        b"ERROR: % Invalid input detected at '^' marker.\r\n",
        b"network-object host 192.0.2.1\x08\x08\x08$2.0.2.1   \x08\x08\x08\r\n",
        b"\x00\r\r\n",
        b"fw1/pri/act",
        b"x" * 300,
        b"\xc3\xa4\r\n",
    ]
)


@given(
    st.lists(PIECES, max_size=30).map(b"".join),
    st.lists(st.integers(0, 1 << 20), max_size=60),
    st.booleans(),
)
def test_events_do_not_depend_on_how_the_bytes_are_cut(
    data: bytes, cuts: list[int], asks: bool
) -> None:
    whole = after_login(data, [], asks=asks)
    assert after_login(data, cuts, asks=asks) == whole
    assert after_login(data, list(range(len(data) + 1)), asks=asks) == whole


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=20))
def test_any_bytes_give_the_same_events_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    assert after_login(data, cuts) == after_login(data, [])
    assert fed(data, cuts) == fed(data, [])


@given(st.lists(st.integers(0, 1 << 20), max_size=40))
def test_the_login_is_the_same_in_any_pieces(cuts: list[int]) -> None:
    assert fed(LOGIN, cuts) == fed(LOGIN, [])


def test_a_state_that_changes_in_mid_session_is_still_the_prompt() -> None:
    events = after_login(b"\r\n\rfw1/pri/act# x\r\nfw1/sec/actNoFailover# ", [])
    assert [event.prompt.privileged for event in events if isinstance(event, Prompted)] == [
        True,
        True,
    ]


def test_a_prompt_counts_at_the_start_of_a_line_only() -> None:
    events = after_login(b"\r\nbanner motd fw1/pri/act# \r\nlong line\rfw1/pri/act# $ne\r\n", [])
    assert not any(isinstance(event, Prompted) for event in events)


def test_pages_are_told_and_leave_no_trace_in_the_lines() -> None:
    data = b"show x\r\n 1\r\n<--- More --->\r              \r 2\r\n<--- More --->\r              \rfw1/pri/act# "
    assert shown(after_login(data, [])) == [
        "echo show x",
        " 1",
        "PageFull",
        " 2",
        "PageFull",
        "prompt fw1/pri/act# ",
    ]


def test_a_scrolled_echo_is_the_echo_still() -> None:
    data = (
        b"network-object 192.0.2.0 255.255.255.0" + b"\x08" * 30 + b"$5.255.0   \r\nfw1/pri/act# "
    )
    events = after_login(data, [])
    assert isinstance(events[0], Echo)
    assert isinstance(events[1], Prompted)
    assert len(events) == 2


def test_a_password_is_asked_only_when_one_is_expected() -> None:
    assert PasswordAsked() in after_login(b"enable\r\nPassword: ", [], asks=True)
    assert PasswordAsked() not in after_login(b"show x\r\nPassword: \r\n", [])
    asked = after_login(b"enable\r\nPassword: ****\r\nPassword: ", [], asks=True)
    assert asked.count(PasswordAsked()) == 2


def test_a_password_prompt_of_ones_own_is_known() -> None:
    screen = Screen(MARK, "Kennwort (intern):")
    screen.feed(LOGIN)
    screen.password_expected = True
    assert PasswordAsked() in screen.feed(b"enable\r\nKennwort (intern): ")


def test_what_has_no_end_is_not_kept() -> None:
    with pytest.raises(PrintsTooMuch, match="line"):
        fed(b"x" * 2000, [], max_line=1000)
    with pytest.raises(PrintsTooMuch, match="command"):
        fed(b"x\r\n" * 2000, [], max_output=1000)


@pytest.mark.parametrize(
    ("prompt", "others", "strangers"),
    [
        (
            "fw1> ",
            ["fw1# ", "fw1(config)# ", "fw1/CTX# ", "fw1/CTX(config-x)# "],
            ["fw2# ", "fw1#"],
        ),
        ("fw1#", ["fw1>", "fw1(config)#"], ["fw10#"]),
        ("act/fw1# ", ["stby/fw1# ", "act/fw1(config)# "], ["fw2/fw1x# "]),
        ("pri/act# ", ["sec/stby# ", "pri/act(config)# "], ["fw1# "]),
        ("fw-1.lab/CTX/pri/act# ", ["fw-1.lab/CTX/pri/stby(config)# "], ["fw-1xlab/CTX# "]),
    ],
)
def test_prompts_of_one_device(prompt: str, others: list[str], strangers: list[str]) -> None:
    shape = PromptShape.learn(prompt)
    assert shape is not None
    for one in (prompt, *others):
        assert shape.at_start(one) is not None, one
    for one in strangers:
        assert shape.at_start(one) is None, one


@pytest.mark.parametrize("line", ["fw1 > ", "# ", "> ", "a b# ", "", "fw1#  ", "fw1(a)(b)# "])
def test_what_is_no_prompt(line: str) -> None:
    assert not looks_like_prompt(line)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("", Verdict.NOTHING),
        ('INFO: Security level for "x" set to 0', Verdict.NOTHING),
        ("WARNING: something is old", Verdict.TOLD),
        ("**** WARNING ****", Verdict.TOLD),
        (
            "\tConfiguration Replication is NOT performed from Standby unit to Active unit.",
            Verdict.STANDBY,
        ),
        ("\tConfigurations are no longer synchronized.", Verdict.STANDBY),
        ("Beginning configuration replication: Sending to mate.", Verdict.REPLICATING),
        ("End Configuration Replication to mate", Verdict.NOTHING),
        (
            "Adding obj (network-object host 192.0.2.1 ) to grp (G) failed; object already exists",
            Verdict.DONE_ALREADY,
        ),
        (
            "WARNING: Adding obj (network-object host 192.0.2.1) to grp (G) failed; object already exists",
            Verdict.DONE_ALREADY,
        ),
        (
            "Removing obj (network-object host 192.0.2.1) from grp (G) failed; obj does not exist in this group",
            Verdict.DONE_ALREADY,
        ),
        ("Removing object-group (G) failed; it does not exist", Verdict.DONE_ALREADY),
        ("Removing object-group (G) not allowed, it is being used.", Verdict.REFUSED),
        (
            "Adding obj (group-object X) to grp (Y) failed; cause a loop in grp hierarchy",
            Verdict.REFUSED,
        ),
        ("ERROR: % Invalid input detected at '^' marker.", Verdict.REFUSED),
        ("Command authorization failed", Verdict.FORBIDDEN),
        ("ERROR: Command authorization failed", Verdict.FORBIDDEN),
        ("<166>%ASA-6-302013: Built outbound TCP connection", Verdict.NOTHING),
        ("anything else", Verdict.REFUSED),
    ],
)
def test_verdicts(line: str, verdict: Verdict) -> None:
    assert judge(line) is verdict


# -- sessions recorded of real devices ------------------------------------------


def recorded(name: str) -> str:
    path = RECORDED / name
    if not path.is_file():
        pytest.skip("needs the recorded sessions of ASAs beside the checkout, in ../shared")
    return path.read_text("utf-8")


def blocks(text: str) -> dict[str, bytes]:
    """The literal blocks of the recording's YAML, by their key, as bytes of a terminal."""
    found: dict[str, list[str]] = {}
    key, indent = "", 0
    for line in text.splitlines():
        start = re.match(r'( *)"?(.*?)"?: \|-$', line)
        if start is not None and not (key and line.startswith(" " * indent) and indent):
            key, indent = start[2], len(start[1]) + 2
            found[key] = []
            continue
        if key and (line.startswith(" " * indent) or not line.strip()):
            found[key].append(line[indent:])
        else:
            start = re.match(r'( *)"?(.*?)"?: \|-$', line)
            key = ""
    made = {}
    for name, lines in found.items():
        joined = "\r\n".join(lines)
        joined = joined.replace(r"\r", "\r").replace(r"\x20", " ").replace(r"\"", '"')
        made[name] = joined.encode()
    return made


@given(cuts=st.lists(st.integers(0, 1 << 20), max_size=30))
def test_the_recorded_login_of_a_5512(cuts: list[int]) -> None:
    found = blocks(recorded("oxidized-5512-9.12-login.yaml"))
    greeting = found["init_prompt"]
    prompt = greeting.rpartition(b"\r")[2]
    assert prompt == b"fw1> "
    screen = Screen(MARK)
    assert screen.feed(greeting)
    assert screen.shape is None
    screen.feed(MARK.encode() + b"\r\n\r" + prompt)
    assert screen.shape is not None
    screen.password_expected = True
    said: dict[str, Any] = {}
    for command, text in found.items():
        if not text.endswith(b"fw1# "):
            continue
        events = []
        edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
        for start, end in pairwise(edges):
            events += screen.feed(text[start:end])
        assert isinstance(events[0], Echo), command
        assert isinstance(events[-1], Prompted), command
        assert sum(isinstance(event, Prompted) for event in events) == 1, command
        assert events[-1].prompt.privileged
        said[command.removesuffix(r"\n")] = [e.text for e in events if isinstance(e, Line)]
    assert said["terminal pager 0"] == []
    assert said["show mode"] == ["Security context mode: single "]
    assert any("Serial Number: JAX" in line for line in said["show version"])
    assert " subnet 10.42.3.64 255.255.255.224" in said["more system:running-config"]


def test_the_prompts_and_messages_of_other_recordings() -> None:
    text = recorded("unicon-asa-states.yaml").replace("%N", "fw1")
    prompts = re.findall(r'^  prompt: "(fw1[^"]*)"$', text, re.MULTILINE)
    assert len(prompts) > 5
    shape = PromptShape.learn("fw1#")
    assert shape is not None
    for one in prompts:
        assert shape.at_start(one) is not None, one
    assert [judge(line) for line in text.splitlines() if "already exists" in line] == [
        Verdict.DONE_ALREADY
    ]
    assert any(judge(line) is Verdict.STANDBY for line in text.splitlines())
    question = next(line for line in text.splitlines() if "[A]sk later" in line)
    asked = question.partition('"')[2].rstrip('"').encode()
    assert ReportingAsked() in after_login(b"\r\n" + asked, [])
    assert PageFull() in after_login(b"\r\n<--- More --->", [])
