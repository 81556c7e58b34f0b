"""
`tsadmin search` and `tail` with the filters of a report.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tscm.cli import search
from tscm.cli.hit_options import asked_of
from tscm.events.answers import FoundLines, LineHit, LogLine
from tscm.operations.arguments import LinesWanted
from tscm.settings.layout import Layout

FOUND = FoundLines(
    lines=(LogLine(device="fw", received_at=1.0, line="\x1b[31mblocked", hit=LineHit(action="blocked")),),
    fitting=3,
    left_out=2,
    ended="the search took longer than 8 seconds",
)  # fmt: skip


class Session:
    def __init__(self, root: Path, found: FoundLines = FOUND) -> None:
        self.layout = Layout(root)
        self.found = found
        self.asked: list[LinesWanted] = []
        (self.layout.logs / "fw").mkdir(parents=True)

    def backend(self) -> "Session":
        return self

    def call(self, _: object, args: LinesWanted) -> FoundLines:
        self.asked.append(args)
        return self.found


def test_the_lines_behind_a_row_of_a_report(tmp_path: Path) -> None:
    session = Session(tmp_path)
    words = ["fw", "", "--entry", "203.0.113.0/24", "--action", "blocked", "--max", "5"]
    done = CliRunner().invoke(search.command, words, obj=session, standalone_mode=False)
    assert done.return_value == 0
    assert session.asked == [
        LinesWanted(
            devices=("fw",),
            top=5,
            options={
                "action": "blocked",
                "entry": "203.0.113.0/24",
                "hits": True,
                "text": "",
                "ignore_case": False,
            },
        )
    ]
    assert "\\x1b[31mblocked\n" in done.stdout
    assert "2 more lines match; narrow the time with --since and --until" in done.stderr
    assert "took longer than 8 seconds; narrow the time" in done.stderr


def test_as_json_and_as_a_number(tmp_path: Path) -> None:
    session = Session(tmp_path)
    told = CliRunner().invoke(search.command, ["--all", "x", "--hits", "--json"], obj=session)
    assert json.loads(told.stdout)["hit"]["action"] == "blocked"
    assert session.asked[0].devices == ()
    told = CliRunner().invoke(search.command, ["fw", "x", "--hits", "--count"], obj=session)
    assert told.stdout == "3\n"


def test_none_is_exit_status_1_and_regex_does_not_go_with_it(tmp_path: Path) -> None:
    session = Session(tmp_path, FoundLines())
    done = CliRunner().invoke(
        search.command, ["fw", "", "--hits"], obj=session, standalone_mode=False
    )
    assert done.return_value == 1
    wrong = CliRunner().invoke(search.command, ["fw", "x", "--hits", "--regex"], obj=session)
    assert wrong.exit_code == 2


@pytest.mark.parametrize("missing", ["", "--all"])
def test_a_log_is_named_or_all_are(tmp_path: Path, missing: str) -> None:
    words = [*([missing] if missing else []), "x", "--hits"]
    done = CliRunner().invoke(search.command, words, obj=Session(tmp_path))
    assert done.exit_code == (0 if missing else 2)


@given(st.dictionaries(st.sampled_from(["list_name", "entry", "port"]), st.none() | st.text()))
def test_what_was_not_given_is_not_asked(options: dict[str, Any]) -> None:
    asked = asked_of(options)
    assert None not in asked.values()
    assert asked.get("list") == options.get("list_name")
