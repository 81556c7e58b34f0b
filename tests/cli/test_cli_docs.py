"""
What README and docs tell an operator to type can be typed.
"""

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from tscm.base.secrets import Secret
from tscm.cli.add_paired import pairing_options
from tscm.cli.main import GROUPS, MODULES, tsadmin
from tscm.cli.options import every_option
from tscm.kinds.asa.rest.lines import setup_lines
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.settings.files import read_node
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.own_service import is_own

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TYPED = re.compile(r"tsadmin ((?:--root \S+ )?)([a-z]+)((?: [^`\n]*)?)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
NAMED = re.compile(r"(?<![\w/])(?:docs|tests|etc|bench)/[\w./-]+\.(?:md|py|toml|service|socket)\b")
SOURCES = [
    one
    for room, kinds in (("tscm", "*.py"), ("bench", "*.py"), ("etc", "*"))
    for one in (ROOT / room).rglob(kinds)
    if one.is_file()
]
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
        known |= {name for one in every_option() for name in one.opts}
        if "--type auto" in rest:
            known |= {name for one in pairing_options() for name in one.opts}
        for option in re.findall(r"--[a-z_]+", rest.split(";")[0]):
            assert option in known, f"{page.name}: tsadmin {word}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in LINK.findall(text):
        assert (page.parent / link).exists(), f"{page.name}: {link}"
    for name in (one for one in NAMED.findall(text) if "ROOM" not in one):
        assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_every_page_that_the_source_names_is_there() -> None:
    for source in SOURCES:
        for name in re.findall(r"\bdocs/[\w./-]+\.md\b", source.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{source.relative_to(ROOT)}: {name}"


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


def test_what_the_readme_types_on_the_asa_is_what_add_prints() -> None:
    block = README.split("For example, for a manager at 192.0.2.5:")[1].split("```")[1]
    node = NodeSettings(address="192.0.2.5")
    device = AsaRestSettings(
        name="office",
        device_id="tdid_x",
        device="192.0.2.10",
        block_list="b.example",
        allow_list="a.example",
        username="admin",
        password=Secret("x"),
    )
    added = [line.lstrip("! ") for line in setup_lines(device, node).splitlines()]
    shown = [line for line in block.strip().splitlines() if not line.startswith("!")]
    for line in shown:
        assert line in added or line.startswith("rest-api image boot:/"), line
    for line in added[
        : added.index("5. Verify, and test with an address from the list in place of ADDRESS")
    ]:
        if line.startswith(("access-list", "http ", "username", "logging trap", "aaa")):
            assert line in shown, line


def test_the_sample_for_one_machine_uploads_to_its_own_log_service(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_bytes((ROOT / "etc/tscm-embedded.toml").read_bytes())
    assert is_own(read_node(layout))
    assert "tdid_office1" not in README  # the ID is the one that `portal add` handed out


def test_the_sample_tells_a_default_from_an_example() -> None:
    text = (ROOT / "etc/tscm.toml").read_text()
    assert "No default; for example:\n# address =" in text
    assert not re.search(r"(?m)^# [a-z_0-9]+ = $", text)


def test_the_help_has_every_command_once_and_ten_of_every_day_first() -> None:
    shown = [name for group in GROUPS.values() for name in group]
    assert sorted(shown) == sorted(MODULES)
    first, *_ = GROUPS.values()
    assert len(first) == 10


def test_a_program_that_walks_the_group_finds_every_command() -> None:
    assert isinstance(tsadmin, click.Group)
    assert list(tsadmin.commands) == tsadmin.list_commands(click.Context(tsadmin))
