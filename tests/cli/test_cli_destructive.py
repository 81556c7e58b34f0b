"""
What destroys something asks, and `--yes` answers.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from tscm import cli
from tscm.operations.table.whole import TABLE

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Start, Tsadmin

DESTRUCTIVE = {one.name.upper() for one in TABLE.values() if one.destructive}


def called(tree: ast.AST, function: str) -> set[str]:
    """The rows that stand as the first argument of *function* anywhere in *tree*."""
    return {
        node.args[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.args
        and isinstance(node.args[0], ast.Name)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == function
    }


def test_every_command_of_a_destructive_operation_asks() -> None:
    seen: set[str] = set()
    for path in sorted(Path(cli.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                destroys = called(function, "call") & DESTRUCTIVE
                asks = called(function, "may_go_on")
                # `remove --purge` asks once, about the removal
                assert not destroys or asks & DESTRUCTIVE, f"{path.name}: {function.name}"
                seen |= destroys
    assert seen == DESTRUCTIVE


@pytest.mark.parametrize(
    "words",
    [
        ("remove",),
        ("logs",),
        ("spool", "drop"),
        ("spool", "delete"),
        ("spool", "erase"),
        ("policy", "rollback"),
        ("portal", "remove"),
    ],
)
def test_yes_is_an_option_of_each(words: tuple[str, ...]) -> None:
    command: click.Command = import_module(f"tscm.cli.{words[0]}").command
    for word in words[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert {"--yes", "-y"} <= {name for one in command.params for name in one.opts}


def test_without_an_answer_nothing_happens(tsadmin: "Tsadmin", add: "Add", root: Path) -> None:
    add()
    (root / "var/log/threatstop/devices/tstest/.spool").mkdir(parents=True, exist_ok=True)
    for words, kept in (
        (("spool", "drop", "tstest", "forward"), "reader forward of tstest not dropped"),
        (("logs", "tstest", "--drop", "all"), "every rejected batch of tstest not dropped"),
        (("remove", "tstest"), "device tstest not removed"),
    ):
        ended = tsadmin(*words)
        assert ended.status == 2, words
        assert kept in ended.err
        assert "--yes" in ended.err
        refused = tsadmin(*words, stdin="n\n")
        assert refused.status == 1
        assert f"{kept[0].upper()}{kept[1:]}" in refused.out


def test_an_entry_that_is_not_there_is_not_asked_about(tsadmin: "Tsadmin") -> None:
    done = tsadmin("portal", "remove", "nosuch")
    assert done.status == 1
    assert "Remove entry" not in done.both
    assert "'nosuch'" in done.err

    tsadmin("portal", "add", "office", "--address", "192.0.2.1")
    asked = tsadmin("portal", "remove", "office")
    assert (asked.status, "entry office not removed" in asked.err) == (2, True)
    assert tsadmin("portal", "remove", "office", "--yes").status == 0


def test_a_device_that_is_not_there_is_not_asked_about(tsadmin: "Tsadmin") -> None:
    for words in (("logs", "nosuch", "--drop", "all"), ("policy", "rollback", "nosuch", "1")):
        done = tsadmin(*words)
        assert "no device named 'nosuch'" in done.err
        assert "(y or n)" not in done.both


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("lists", "delete", "nosuch"), "no user list 'nosuch'"),
        (("portal", "policies", "delete", "nosuch"), "no policy of yours named 'nosuch'"),
        (("portal", "targets", "delete", "nosuch"), "no target of yours named 'nosuch'"),
        (("portal", "targets", "delete", "threatfox"), "no target of yours named 'threatfox'"),
        (("portal", "bundles", "delete", "all-on"), "no bundle of yours named 'all-on'"),
    ],
)
def test_what_is_not_there_is_not_asked_about(
    tsadmin: "Tsadmin", words: tuple[str, ...], cause: str
) -> None:
    done = tsadmin(*words)
    assert done.status == 2
    assert cause in done.err
    assert "(y or n)" not in done.both


def test_a_generation_that_is_not_kept_is_not_asked_about(tsadmin: "Tsadmin", add: "Add") -> None:
    add()
    done = tsadmin("policy", "rollback", "tstest", "99")
    assert "generation 99 of tstest is not stored" in done.err
    assert "(y or n)" not in done.both


def test_a_yes_at_the_terminal_goes_on(start: "Start", add: "Add") -> None:
    add()
    child = start("remove", "tstest")
    child.expect(r"Remove device tstest\? \(y or n\) \[default n\] ")
    child.sendline("y")
    child.expect("Device tstest removed")
