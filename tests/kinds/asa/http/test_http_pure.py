"""
The pure parts of the way by the HTTP interface: pieces, their size, XML, lines, and what a page is.
"""

import contextlib
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.asa.ssh.command_line import hosts
from tscm.kinds import faults
from tscm.kinds.asa.cli.blocks import Block
from tscm.kinds.asa.http.answers import AgentRefused, FormRefused, Judge, PageSieve
from tscm.kinds.asa.http.pieces import EXIT, pieces, takes_away
from tscm.kinds.asa.http.post_size import AIM_SECONDS, LARGEST, SMALLEST, PostSize
from tscm.kinds.asa.http.settings import user_agent
from tscm.kinds.asa.http.text_lines import MOST_CHARACTERS, LineTooLong, TextLines
from tscm.kinds.asa.http.xml_form import NO_REASON, NotXml, XmlAnswer, write_xml

BLOCKS = st.lists(
    st.builds(
        lambda number, count, plain: Block(
            "" if plain else f"object-group network T-{number}",
            tuple(f"network-object host {one[:-3]}" for one in hosts(count, number * 100)),
        ),
        st.integers(0, 30),
        st.integers(1, 90),
        st.booleans(),
    ),
    max_size=12,
)


def typed(lines: list[str]) -> list[tuple[str, str]]:
    """Each line with the group that is open when it is typed."""
    found, group = [], ""
    for line in lines:
        if line.startswith("object-group "):
            assert group == ""
            group = line
        elif line == EXIT:
            group = ""
        else:
            found.append((group, line))
    assert group == ""
    return found


@given(BLOCKS, st.lists(st.integers(SMALLEST, 200), min_size=1, max_size=5))
def test_every_line_is_typed_once_in_order_and_in_its_group(
    blocks: list[Block], rooms: list[int]
) -> None:
    asked: list[int] = []

    def room() -> int:
        asked.append(rooms[len(asked) % len(rooms)])
        return asked[-1]

    made = list(pieces(blocks, room))
    assert [one for piece in made for one in typed(piece)] == [
        (block.header, line) for block in blocks for line in block.lines
    ]
    for piece, most in zip(made, asked, strict=False):
        assert len(piece) <= most + 2


def test_a_block_without_lines_takes_no_room() -> None:
    assert list(pieces([Block("object-group network T", ())], lambda: 50)) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(1, LARGEST), st.floats(0, 400)), max_size=40))
def test_the_size_stays_within_its_bounds_and_does_not_come_back_to_what_was_trouble(
    history: list[tuple[bool, int, float]],
) -> None:
    size, least = PostSize(), LARGEST + 1
    for good, lines, seconds in history:
        sent = min(lines, size.size)
        if good:
            size.went_well(sent, seconds)
        else:
            size.was_trouble(sent)
            least = sent
        assert SMALLEST <= size.size <= LARGEST
        assert size.size <= max(SMALLEST, least)
        again = PostSize.remembered(size.learnt)
        assert again.learnt == size.learnt


def test_a_fast_device_gets_more_lines_and_a_slow_one_what_it_does_in_its_time() -> None:
    fast, slow = PostSize(), PostSize()
    for _ in range(8):
        fast.went_well(fast.size, fast.size * 0.001)
        slow.went_well(slow.size, slow.size * 0.2)
    assert fast.size == LARGEST
    assert slow.size == pytest.approx(AIM_SECONDS / 0.2, abs=1)


def test_one_failure_is_forgiven_and_two_of_a_size_are_remembered() -> None:
    size = PostSize(size=4000)
    size.was_trouble(4000)
    assert (size.size, size.ceiling) == (2000, LARGEST)
    later = PostSize.remembered(size.learnt)
    later.went_well(2000, 1.0)
    assert later.size == 4000
    later.was_trouble(4000)
    assert (later.size, later.ceiling) == (2000, 2000)
    assert PostSize.remembered({"post_lines": True, "post_ceiling": "x"}) == PostSize()


# -- XML ------------------------------------------------------------------------------------


def read(text: bytes, size: int = 7) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    answer = XmlAnswer(lambda *one: found.append(one))
    for at in range(0, len(text), size):
        answer.feed(text[at : at + size])
    answer.end()
    return found


@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])), max_size=5))
def test_lines_come_out_of_the_xml_as_they_went_in(lines: list[str]) -> None:
    lines = [line for line in lines if line.isprintable()]
    root = ET.fromstring(write_xml(lines))
    assert [(one.get("id"), one.text or "") for one in root.iter("cli")] == [
        (str(at), line) for at, line in enumerate(lines)
    ]
    assert root.attrib == {"config-action": "merge", "errors": "continue"}


def test_an_answer_as_it_was_recorded_is_read() -> None:
    recorded = (
        b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        b'<!DOCTYPE ErrorList SYSTEM "urn:com-cisco-nm-callhome:ErrorList">\n'
        b'<ErrorList>\n  <config-failure>\n    <error-info id="0" type="info">\n'
        b"      &lt;Phase&gt;\n    </error-info>\n"
        b'<error-info id="7" type="error"></error-info><error-info id="x" type="warning">w'
        b"</error-info></config-failure>\n</ErrorList>\n"
    )
    first, *rest = read(recorded)
    assert (first[:2], first[2].strip()) == ((0, "info"), "<Phase>")
    assert rest == [(7, "error", NO_REASON), (-1, "warning", "w")]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<ErrorList>",
        b"<a><b></a></b>",
        b"no xml",
        b"<html><body><p>Login</body></html>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<!DOCTYPE a []><a/>",
        b'<!DOCTYPE a SYSTEM "urn:x"><a>&x;</a>' + b"<",
        b"<a>" * 40 + b"</a>" * 40,
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"\xff\xfe<\x00",
        b"<a>\x00</a>",
    ],
)
def test_what_is_no_answer_in_xml_is_refused(text: bytes) -> None:
    with pytest.raises(NotXml):
        read(text)


def test_of_a_text_without_end_the_beginning_is_kept() -> None:
    (found,) = read(
        b'<a><error-info id="1" type="error">' + b"x" * 300_000 + b"</error-info></a>", 4096
    )
    assert len(found[2]) < 20_000


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_an_answer_or_none(data: bytes, size: int) -> None:
    with contextlib.suppress(NotXml):
        read(data, size)


# -- lines and pages --------------------------------------------------------------------------


@given(st.text(max_size=200), st.lists(st.integers(0, 400), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    found: list[str] = []
    lines = TextLines(found.append)
    at = 0
    for cut in sorted(cuts):
        lines.feed(data[at:cut])
        at = max(at, cut)
    lines.feed(data[at:])
    lines.end()
    wanted = [one.rstrip("\r") for one in data.decode("utf-8", "replace").split("\n")]
    if not wanted[-1] and not data.decode().split("\n")[-1]:
        wanted.pop()
    assert found == wanted


def test_a_line_without_end_is_given_up() -> None:
    lines = TextLines(lambda _: None)
    lines.feed(b"x" * MOST_CHARACTERS)
    with pytest.raises(LineTooLong):
        lines.feed(b"x")


@pytest.mark.parametrize(
    ("body", "page"),
    [
        (b"", False),
        (b"<html>", True),
        (b"\n\n <!DOCTYPE HTML PUBLIC x><html>", True),
        (b"<HTML><head>", True),
        (b"<?xml version='1.0'?><a/>", False),
        (b"ok", False),
        (b"<htm", False),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_web_page_is_told_by_its_beginning_and_goes_no_further(
    body: bytes, page: bool, size: int
) -> None:
    got = bytearray()
    sieve = PageSieve(got.extend)
    for at in range(0, len(body), size):
        sieve.feed(body[at : at + size])
    sieve.end()
    assert sieve.is_page is page
    assert bytes(got) == (b"" if page else body)
    assert sieve.size == len(body)


@pytest.mark.parametrize(
    ("status", "known", "kind"),
    [
        (400, False, AgentRefused),
        (400, True, FormRefused),
        (401, False, faults.Unauthorised),
        (403, True, faults.Forbidden),
        (404, True, faults.InterfaceAbsent),
        (302, True, faults.InterfaceAbsent),
        (413, True, faults.Refused),
        (415, True, FormRefused),
        (500, True, faults.Overloaded),
        (200, True, faults.InterfaceAbsent),
    ],
)
def test_each_status_has_its_fault_with_a_remedy(
    status: int, known: bool, kind: type[Exception]
) -> None:
    judge = Judge(name="fw", root="https://fw", username="api", user_agent="ASDM")
    fault = judge.fault("POST /admin/config", status, known=known, is_page=status == 200)
    assert type(fault) is kind
    assert fault.remedy or isinstance(fault, faults.Refused)


@pytest.mark.parametrize("value", ["", " x", "a\r\nb", "é", "x" * 65, 5])
def test_what_is_no_user_agent(value: object) -> None:
    with pytest.raises(ValueError, match="is not a User-Agent"):
        user_agent(value)
    assert user_agent("tscm 1.0") == "tscm 1.0"


def test_only_what_takes_something_out_waits_for_what_comes_before() -> None:
    from tests.kinds.asa.http.test_http_driver import STEPS

    assert [type(one).__name__ for one in STEPS if takes_away(one)] == [
        "DetachChild",
        "RemoveMembers",
        "RemoveMembers",
        "DeleteGroup",
        "DeleteGroup",
    ]
