"""
Which kinds an installation has: those that its packages declare, and no other.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tscm
from tscm.settings.modules import PACKAGES, declared

SOURCE = Path(tscm.__file__).parent.parent


def declare(folder: Path, package: str, text: str) -> None:
    place = folder / f"{package}-1.dist-info"
    place.mkdir(parents=True)
    (place / "entry_points.txt").write_text(text)


def test_declarations_are_read_as_they_are_specified(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    declare(
        first,
        "one",
        "[console_scripts]\nx = y:z\n\n[tscm.modules]\n# a comment\nasa = one:KIND\n  b=two:KIND  \n"
        "[other]\nc = d:e\n",
    )
    declare(second, "two", "[tscm.modules]\nasa = late:KIND\nmore = two:KIND\n")
    declare(second, "three", "[other]\ntscm.modules = three:KIND\n")
    (second / "four-1.dist-info").mkdir()
    (second / "five-1.dist-info").write_text("no folder")
    folders = [str(first), str(second), str(tmp_path / "absent"), str(first / "zip.zip")]
    assert declared(folders) == {"asa": "one:KIND", "b": "two:KIND", "more": "two:KIND"}


@pytest.fixture
def core(tmp_path: Path) -> dict[str, str]:
    """The environment of an installation that has all libraries and tscm, and no package of a kind."""
    site = tmp_path / "site"
    site.mkdir()
    for folder in reversed([Path(one) for one in sys.path if one.endswith("-packages")]):
        for one in folder.iterdir():
            if one.suffix == ".pth" or one.name.startswith("tscm"):
                continue
            (site / one.name).unlink(missing_ok=True)
            (site / one.name).symlink_to(one)
    (site / "tscm").symlink_to(SOURCE / "tscm")
    return {**os.environ, "PYTHONPATH": str(site), "PYTHONNOUSERSITE": "1"}


def tsadmin(root: Path, core: dict[str, str], *words: str) -> "subprocess.CompletedProcess[Any]":
    return subprocess.run(
        [sys.executable, "-S", "-m", "tscm", "--root", str(root), *words],
        env=core,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_core_alone_says_which_package_brings_a_type(
    tmp_path: Path, core: dict[str, str]
) -> None:
    alone = tsadmin(tmp_path, core, "version", "--all")
    assert alone.returncode == 0, alone.stderr
    assert [line.split()[0] for line in alone.stdout.splitlines() if "." in line] == ["TSCM-Core"]
    refused = tsadmin(tmp_path, core, "add", "office", "--type", "asarest")
    assert refused.returncode == 2
    assert "'asarest' is a device type of the package ts-asarest, which is not installed" in (
        refused.stderr
    )
    none = tsadmin(tmp_path, core, "add", "office")
    assert none.returncode != 0
    assert ", ".join(dict.fromkeys(PACKAGES.values())) in none.stderr
    declare(
        Path(core["PYTHONPATH"]),
        "ts_lists",
        "[tscm.modules]\npanos = tscm.kinds.lists.kind:PANOS\n",
    )
    some = tsadmin(tmp_path, core, "version", "--all")
    assert "ts-lists" in some.stdout
    assert "ts-asa" not in some.stdout
    asked = tsadmin(tmp_path, core, "add", "--help")
    assert "Types: panos, auto." in asked.stdout
