"""
What `tsadmin tail` begins with, and what it adds.
"""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tscm.cli import tail
from tscm.operations.answers import DeviceView


def test_the_first_block_is_what_was_there_even_if_that_is_nothing(tmp_path: Path) -> None:
    live = tmp_path / "syslog"
    blocks = tail.follow(live)
    assert next(blocks).data == b""
    live.write_bytes(b"one\ntwo\nhal")
    assert next(blocks).data == b"one\ntwo\n"
    with live.open("ab") as log:
        log.write(b"f\n")
    assert next(blocks).data == b"half\n"

    live.rename(tmp_path / "syslog.1")
    live.write_bytes(b"after the rotation\n")
    assert next(blocks).data == b"after the rotation\n"
    assert [one.data for one in tail.follow(live, once=True)] == [b"after the rotation\n"]
    live.write_bytes(b"")
    assert next(tail.follow(live)).data == b""


class Backend:
    def call(self, _operation: object, _args: object) -> DeviceView:
        return DeviceView(settings={"block_list": "b.example", "allow_list": "a.example"})


class Session:
    def __init__(self, root: Path) -> None:
        from tscm.settings.layout import Layout

        self.layout = Layout(root)

    def backend(self) -> Backend:
        return Backend()


def test_no_line_is_left_out_that_comes_after_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path)
    live = session.layout.device_log("fw") / "syslog"
    live.parent.mkdir(parents=True)
    live.write_bytes(b"")
    naps = 0

    def nap(_seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 1:
            live.write_bytes(b"".join(b"line %d\n" % number for number in range(20)))
        elif naps > 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    for wanted in ("0", "10"):
        naps = 0
        live.write_bytes(b"")
        done = CliRunner().invoke(tail.command, ["fw", "-n", wanted], obj=session)
        assert done.output.splitlines()[:20] == [f"- - line {number}" for number in range(20)]
