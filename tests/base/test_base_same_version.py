"""
A child of another version than its parent ends before it reads or writes anything.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tscm import __version__
from tscm.base import same_version
from tscm.base.parse_apart import ParseFailed, ParserProcess
from tscm.base.same_version import OTHER_VERSION, VARIABLE, child_environment, other_version


def test_only_a_parent_of_another_version_is_refused() -> None:
    assert other_version({}) is None
    assert other_version({VARIABLE: __version__}) is None
    refusal = other_version({VARIABLE: "0.0.9"})
    assert refusal is not None
    assert "'0.0.9'" in refusal
    assert "systemctl restart tscm.service" in refusal


def test_the_event_worker_of_another_version_opens_no_database(tmp_path: Path) -> None:
    database = tmp_path / "tscm.db"
    ended = subprocess.run(
        [sys.executable, "-m", "tscm.events.worker", str(database)],
        env={**child_environment(), VARIABLE: "0.0.9"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ended.returncode, ended.stdout) == (OTHER_VERSION, "")
    assert "the manager is version '0.0.9'" in ended.stderr
    assert not database.exists()


def test_a_parser_of_another_version_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_version, "__version__", "0.0.9")
    with (
        pytest.raises(ParseFailed, match="another version than the manager; restart it"),
        ParserProcess("tscm.kinds.asa.rest.reader_process", ("groups", "x"), 300) as child,
    ):
        child.answer(1000)
