"""
The pinned versions: whole, consistent, and what the bounds in pyproject.toml allow.
"""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[1]
FOLDER = HERE / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((HERE / "pyproject.toml").read_text())
FILES = ("all.txt", "run.txt", "tox.txt")
PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; (.+))?$")
HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}$")
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
# They number by the calendar or release a major version each quarter, and deprecate in time.
WITHOUT_UPPER_BOUND = {"twisted", "attrs", "cattrs", "cryptography", "klein"}


def pins(name: str, python: str) -> dict[str, str]:
    """What a file of the lock pins for CPython *python* on Linux; asserts that it is well formed."""
    found: dict[str, str] = {}
    hashes = 1
    for line in (FOLDER / name).read_text().splitlines():
        text = line.removesuffix(" \\")
        if text.startswith("#"):
            continue
        if HASH.match(text):
            hashes += 1
            continue
        pin = PIN.match(text)
        assert pin, f"{name}: neither a pin nor a hash: {line}"
        assert hashes, f"{name}: no hash before {line}"
        hashes = 0
        requirement = Requirement(text)
        environment = {
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
            "sys_platform": "linux",
            "platform_machine": "x86_64",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert pin[1] not in found
            found[pin[1]] = pin[2]
    assert hashes
    return found


def wanted() -> list[Requirement]:
    """Everything that pyproject.toml names anywhere."""
    project = PROJECT["project"]
    lists = [
        PROJECT["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *PROJECT["dependency-groups"].values(),
    ]
    return [Requirement(one) for some in lists for one in some]


@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_asked_for_is_pinned_within_its_bounds(python: str) -> None:
    pinned = pins("all.txt", python)
    environment = {"python_version": python.rpartition(".")[0], "platform_machine": "x86_64"}
    for one in wanted():
        if one.marker is None or one.marker.evaluate(environment):
            version = pinned[canonicalize_name(one.name)]
            assert one.specifier.contains(version), f"{one} against {version}: run `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["run.txt", "tox.txt"])
def test_the_smaller_files_repeat_what_was_chosen_for_all(name: str, python: str) -> None:
    assert pins(name, python).items() <= pins("all.txt", python).items()


def test_the_lock_to_run_from_has_the_dependencies_and_no_tool() -> None:
    names = set(pins("run.txt", "3.11.0"))
    direct = {
        canonicalize_name(Requirement(one).name) for one in PROJECT["project"]["dependencies"]
    }
    assert direct <= names
    assert not names & {"pytest", "hypothesis", "tox", "ruff", "mypy"}


@pytest.mark.parametrize("name", FILES)
def test_the_lock_names_no_registry_and_no_folder(name: str) -> None:
    assert not re.search(
        r"https?:|file:|--index|--find-links|(^|\s)/\w", (FOLDER / name).read_text()
    )


def test_every_group_is_pinned() -> None:
    groups = runpy.run_path(str(FOLDER / "lock.py"))["EVERY_GROUP"]
    assert set(groups) == set(PROJECT["dependency-groups"])


def test_a_next_major_release_of_a_dependency_is_not_taken_unseen() -> None:
    for text in PROJECT["project"]["dependencies"]:
        one = Requirement(text)
        bounded = any(each.operator in {"<", "<=", "~="} for each in one.specifier)
        assert bounded != (one.name in WITHOUT_UPPER_BOUND), text


AUDIT = runpy.run_path(str(FOLDER / "audit.py"))


def told(*dependencies: dict[str, Any]) -> tuple[bool, list[str]]:
    verdict: tuple[bool, list[str]] = AUDIT["verdict"]({"dependencies": list(dependencies)})
    return verdict


SKIPPED = {"name": "klein", "version": "1", "skip_reason": "Dependency not found"}
CLEAN = {"name": "attrs", "version": "1", "vulns": []}
KNOWN = {"name": "h11", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}


def test_an_audit_that_nobody_answered_is_said_and_is_no_finding() -> None:
    good, lines = told(SKIPPED, SKIPPED)
    assert good
    assert lines == [
        "audit: not carried out, the advisory database cannot be reached: Dependency not found"
    ]


def test_a_known_vulnerability_is_a_finding() -> None:
    good, lines = told(CLEAN, KNOWN, SKIPPED)
    assert not good
    assert lines == [
        "audit: h11 1: PYSEC-1 (mended in 2)",
        "audit: 1 not looked up, unknown to the database: klein",
        "audit: 2 pinned versions looked up, 1 known vulnerabilities",
    ]


def test_a_vulnerability_that_was_accepted_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AUDIT["ACCEPTED"], "CVE-1", "we do not call it")
    accepted = {**KNOWN, "vulns": [{"id": "PYSEC-1", "fix_versions": [], "aliases": ["CVE-1"]}]}
    assert told(accepted) == (
        True,
        ["audit: 1 pinned versions looked up, 0 known vulnerabilities"],
    )
