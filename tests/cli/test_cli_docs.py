"""
What README and docs tell an operator to type can be typed.
"""

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from tscm.cli.main import MODULES
from tscm.cli.options import setting_options

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"tsadmin ((?:--root \S+ )?)([a-z]+)((?: [^`\n]*)?)")
LATER = {"reference.md", "design.md"}
"""Pages that also speak of what is still to come."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_there(page: Path) -> None:
    for _, word, _ in TYPED.findall(page.read_text("utf-8")):
        assert word in MODULES or page.name in LATER, f"{page.name}: tsadmin {word}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in LATER], ids=lambda page: page.name
)
def test_every_option_of_a_page_is_there(page: Path) -> None:
    for _, word, rest in TYPED.findall(page.read_text("utf-8")):
        command = import_module(f"tscm.cli.{MODULES[word][0]}").command
        known = {"--help", "--type", *options(command)}
        known |= {name for one in setting_options() for name in one.opts}
        for option in re.findall(r"--[a-z_]+", rest.split(";")[0]):
            assert option in known, f"{page.name}: tsadmin {word}{rest}"


def options(command: click.Command) -> set[str]:
    found = {name for one in command.params for name in one.opts}
    if isinstance(command, click.Group):
        for one in command.commands.values():
            found |= options(one)
    return found


def test_every_command_has_its_line_in_the_help() -> None:
    for name, (module, about) in MODULES.items():
        command = import_module(f"tscm.cli.{module}").command
        assert command.help
        assert about.endswith("."), name
