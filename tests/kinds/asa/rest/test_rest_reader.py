"""
Large answers of a device: read by a child process, and never at the cost of the manager.
"""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.asa.rest.test_rest_bounds import Device, Reply, asked, driver_at
from tests.kinds.asa.rest.test_rest_trickle import serving, trickle
from tests.waiting import PATIENCE_SECONDS
from tscm.base.deadline import Scope
from tscm.kinds import faults
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.rest import reader
from tscm.kinds.asa.rest.content import Content, read_content
from tscm.kinds.asa.rest.driver import RestDriver
from tscm.kinds.asa.rest.picks import Want

ROOT = Path(__file__).parents[4]
PAGE = {"rangeInfo": {"total": 2}}


def members(count: int, first: int = 10) -> list[dict[str, str]]:
    return [
        {"kind": "IPv4Address", "value": f"{first}.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"}
        for at in range(count)
    ]


def page(count: int, description: str = "") -> bytes:
    """A group of ours with some members, and one of somebody's with *count*."""
    ours = {"name": "T-Block-1", "members": members(100)}
    other = {"name": "other", "members": members(count), "description": description}
    return json.dumps({"items": [ours, other], **PAGE}).encode()


def children() -> set[int]:
    """Processes of this one that read an answer; a zombie's command line is empty."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"tscm.kinds.asa.rest.reader_process" in command:
            found.add(int(folder.name))
    return found


def the_child() -> int:
    """Waits until there is one."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (found := children()) and time.monotonic() < ends:
        time.sleep(0.05)
    (pid,) = found
    return pid


def groups(driver: AsaDriver) -> Any:
    return driver.read_groups("T")


def refused(
    folder: Path,
    body: bytes,
    call: Callable[[AsaDriver], Any],
    headers: str = "",
    **bounds: int,
) -> str:
    with pytest.raises(faults.Overloaded) as caught:
        asked(folder, lambda _: (headers, body), call, **bounds)
    assert not children()
    return str(caught.value)


WANTS = st.builds(
    Want,
    st.sampled_from(["nothing", "version", "groups", "texts", "said", "configuration"]),
    st.just("T"),
)
WORDS = st.text(max_size=8) | st.sampled_from(["T-Block", "T-Block-1", "IPv4Address", "192.0.2.1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("items", "name", "members", "kind", "value", "objectId", "description"),
                    *("rangeInfo", "total", "response", "messages", "level", "details", "code"),
                    *("asaVersion", "deviceType", "upTimeinSeconds", "currentTimeinSeconds"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(WANTS, VALUES)
def test_what_is_read_of_an_answer_is_the_same_when_a_child_reads_it(
    want: Want, value: Any
) -> None:
    found = read_content(json.dumps(value).encode(), want)
    assert Content(**json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_large_answer_is_read_as_a_small_one_is(tmp_path: Path, packed: bool) -> None:
    body = page(40_000)
    assert len(body) > reader.SMALL_BYTES
    headers = "Content-Encoding: gzip\r\n" if packed else ""
    sent = gzip.compress(body, mtime=0) if packed else body
    large = asked(tmp_path, lambda _: (headers, sent), groups)
    here = {"small_bytes": 1 << 30, "small_cost": 1 << 30}
    assert asked(tmp_path, lambda _: (headers, sent), groups, **here) == large
    assert len(large["T-Block-1"].members) == 100
    assert not children()


READ = """
import json, sys
from tscm.kinds.asa.rest.content import read_content
from tscm.kinds.asa.rest.picks import Want
from tscm.kinds.asa.rest import reader_process

members = [{"kind": "IPv6Network", "value": one} for one in ("2001:DB8::/32", "2001:db8::1/x", "1.2")]
page = {"items": [{"name": "T-Block-1", "members": members}]}
found = read_content(json.dumps(page).encode(), Want("groups", "T"))
print(found.picked["groups"], "numpy" in sys.modules)
"""


def test_a_reader_needs_no_library_that_takes_memory_for_each_core() -> None:
    """It would take it within the limit, of which a host with many cores leaves nothing then."""
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert done.stdout == "[['T-Block-1', ['2001:db8::/32'], [], '', 2]] False\n"


def test_a_usual_answer_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ParserProcess", None)
    assert len(asked(tmp_path, lambda _: ("", page(12_000)), groups)) == 1


def test_few_bytes_with_many_values_are_read_by_a_child(tmp_path: Path) -> None:
    body = json.dumps({"items": [[]] * 50_000, "rangeInfo": {"total": 50_000}}).encode()
    assert asked(tmp_path, lambda _: ("", body), groups, small_cost=1 << 30) == {}
    found = reader.AnswerReader("fw", "GET /x", Want("groups", "T"), 60.0, module="tests.nowhere")
    found.take(body)
    with pytest.raises(faults.Overloaded, match="cannot read the response"), found:
        found.content()


GROWTH = """
import sys
from pathlib import Path
from tests.kinds.asa.rest.test_rest_bounds import driver_at

def held(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) >> 10

driver = driver_at(sys.argv[1])
driver.probe()
before = held("VmRSS:")
found = driver.read_groups("T")
assert [len(one.members) for one in found.values()] == [100], found.keys()
driver.close()
print(held("VmHWM:") - before)
"""


def test_an_answer_of_sixty_megabytes_takes_next_to_nothing_of_the_managers_memory(
    tmp_path: Path,
) -> None:
    body = page(250_000, "x" * (46 << 20))
    assert len(body) > 57 << 20

    def reply(path: str) -> Reply:
        return "", body if "networkobjectgroups" in path else b'{"asaVersion": "9.8"}'

    with serving(Device(tmp_path, reply)) as root:
        done = subprocess.run(
            [sys.executable, "-c", GROWTH, root],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.stderr == ""
    assert int(done.stdout) < 40, "MB"


def test_a_configuration_of_megabytes_comes_as_what_is_asked_of_it(tmp_path: Path) -> None:
    text = "".join(
        [
            "hostname fw\n",
            " network-object host 192.0.2.1\n" * 100_000,
            "access-list acl extended deny ip any object-group T-Block log\n",
            "access-list acl extended permit tcp any host 192.0.2.1 eq 80\n" * 100_000,
            "access-group acl global\n",
        ]
    )
    body = json.dumps({"response": [text]}).encode()
    found = asked(tmp_path, lambda _: ("", body), lambda driver: driver.running_config("T"))
    assert found.size == len(text)
    assert found.text.splitlines() == [
        "access-list acl extended deny ip any object-group T-Block log",
        "access-group acl global",
    ]


def test_more_than_the_child_may_hold_is_a_sentence_about_the_answer(tmp_path: Path) -> None:
    body = b"[" + b"[]," * (8 << 20) + b"[]]"
    said = refused(tmp_path, body, groups)
    assert re.search(
        r"device fw: the response to GET /objects.* is larger than can be read within 320 MB; check ",
        said,
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * (4 << 20), "without a JSON body"),
        (b'{"items": [' * (1 << 18), "without a JSON body"),
        (b'{"items": [' + b"9" * (4 << 20) + b"]}", "without a JSON body"),
        (page(40_000)[:-5], "without a JSON body"),
        (b'{"items": "' + b"\\ud800" * (1 << 18) + b'"}', "is not a list"),
        (b'{"items": [' + b"1," * 200_000 + b"1]}", "more than 100,000 object-groups"),
        (b"\x00" * (2 << 20), "without a JSON body"),
        (b'{"a": "\xff' + b"x" * (2 << 20) + b'"}', "without a JSON body"),
    ],
    ids=["lists", "objects", "digits", "cut", "surrogates", "items", "zeros", "no utf-8"],
)
def test_a_large_answer_of_nonsense_is_a_sentence(tmp_path: Path, body: bytes, words: str) -> None:
    assert words in refused(tmp_path, body, groups)


def test_more_members_than_any_device_has_are_a_sentence(tmp_path: Path) -> None:
    said = refused(tmp_path, page(10), groups, most_members=99)
    assert "the groups of tscm have more than 99 members; check " in said


def test_a_configuration_that_is_all_about_us_is_a_sentence(tmp_path: Path) -> None:
    line = "access-list a extended deny ip any object-group T-Block\n"
    body = json.dumps({"response": [line * 5000]}).encode()
    said = refused(tmp_path, body, lambda driver: driver.running_config("T"))
    assert "more than 2,000 entries of its access-lists name the groups of tscm" in said
    body = json.dumps({"response": ["logging host inside 192.0.2.1\n" * 100_000]}).encode()
    said = refused(tmp_path, body, lambda driver: driver.running_config("T"))
    assert "exceeds 2,097,152 bytes" in said


def test_gzip_that_is_cut_in_a_large_answer_is_a_sentence(tmp_path: Path) -> None:
    packed = gzip.compress(page(40_000), mtime=0)[:-10]
    assert "truncated" in refused(tmp_path, packed, groups, "Content-Encoding: gzip\r\n")


def over(folder: Path, between: Callable[[], None], body: bytes, claimed: int) -> Device:
    """A device that sends *body*, does something, and ends; it says that *claimed* bytes come."""

    class Halting(Device):
        def answer(self, one: Any, headers: str, body: bytes) -> None:
            one.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {claimed}\r\n\r\n".encode() + body)
            between()
            one.sendall(b" " * (claimed - len(body)))

    return Halting(folder, lambda _: ("", body))


def test_a_child_that_is_killed_in_the_middle_is_a_fault_of_this_answer_alone(
    tmp_path: Path,
) -> None:
    body = page(40_000)
    device = over(
        tmp_path, lambda: os.kill(the_child(), signal.SIGKILL), body, len(body) + (8 << 20)
    )
    with (
        serving(device) as root,
        pytest.raises(faults.Overloaded, match=r"cannot read the response .* signal 9; ") as caught,
    ):
        driver_at(root).read_groups("T")
    assert caught.value.retry
    assert not children()
    assert asked(tmp_path, lambda _: ("", body), groups)


def test_a_stop_in_the_middle_of_a_large_answer_ends_its_child(tmp_path: Path) -> None:
    body, scope = page(40_000), Scope()

    def stop() -> None:
        the_child()
        scope.hurry()

    device = over(tmp_path, stop, body, len(body) + (8 << 20))
    with (
        serving(device) as root,
        pytest.raises(faults.Overloaded, match="because the manager is stopping"),
    ):
        scope.run(driver_at(root).read_groups, "T")
    assert not children()


def test_a_large_answer_that_trickles_ends_with_its_child(tmp_path: Path) -> None:
    late = threading.Event()

    class Trickling(Device):
        def answer(self, one: Any, headers: str, body: bytes) -> None:
            one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + body)
            the_child()
            late.set()
            trickle(one, b" ", b" ")

    device = Trickling(tmp_path, lambda _: ("", page(40_000)))
    with serving(device) as root:
        driver = driver_at(root)
        assert isinstance(driver, RestDriver)
        driver._link.monotonic = lambda: 1e6 if late.is_set() else 0.0
        with pytest.raises(faults.Overloaded, match="was not completed within the time"):
            driver.read_groups("T")
    assert not children()
