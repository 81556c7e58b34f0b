"""
Change the pure rooms one place at a time and show which changes no test notices: `make mutants`.

The tests that name the changed module run first, then the rest of its room, with few examples of each
property; then both with all examples, and the tests of neighbours that use the room.  The first test that
fails notices the change.  Changes are drawn with a fixed seed, so two runs of one tree draw the same.  What
survives wants a test, or a reader who finds that the change makes no difference.

A run begins no change `--minutes` after the tests passed without one, and keeps what it found in `--results`: the next run of the same tree goes
on behind it.
"""

import argparse
import contextlib
import hashlib
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from attrs import define, field, frozen

sys.path.append(str(Path(__file__).parent.parent))

from tests.mutant_changes import Mutant, changed, changes_of

ROOT = Path(__file__).parent.parent
COPIED = ("tscm", "tests", "twisted", "etc", "docs", "bench", "pyproject.toml", "README.md")
NEIGHBOURS = {
    "policy": (
        "tests/retrieve/test_retrieve_records.py",
        "tests/retrieve/test_retrieve_feeds.py",
        "tests/update/test_update_in_force.py",
        "tests/update/test_update_by_hand.py",
        "tests/update/test_update_run.py",
    ),
    "syslog": (
        "tests/intake/test_intake_relays.py",
        "tests/forward/test_forward_content.py",
        "tests/events/test_events_judge.py",
        "tests/events/test_events_report.py",
        "tests/events/test_events_blocks.py",
    ),
}
"""Tests of other rooms that hold a pure room to its promises."""
PRELOADED = ("numpy", "twisted.internet.defer", "twisted.logger", "cattrs", "dns.message", "httpx")
"""Imported once, before a process is forked for each change; nothing of tscm, and no reactor."""
SECONDS_A_TEST = 120
MEMORY_BYTES = 4 << 30
FEW = 8
"""One example in so many, at first: see `EXAMPLES_PART` in `conftest.py`."""


@frozen
class Stage:
    """Test files that run together, and whether with few examples."""

    files: tuple[str, ...]
    quick: bool = False


def stages(room: str, module: str) -> Iterator[Stage]:
    """What runs for a change of one module, nearest and cheapest first."""
    named = re.compile(rf"tscm\.{room}\.{module}\b|from tscm\.{room} import [^\n]*\b{module}\b")
    tests = sorted((ROOT / "tests" / room).glob("test_*.py"))
    near = [one for one in tests if named.search(one.read_text("utf-8"))]
    rest = [one for one in tests if one not in near]
    parts = [tuple(str(one.relative_to(ROOT)) for one in part) for part in (near, rest) if part]
    yield from (Stage(part, quick=True) for part in parts)
    yield from (Stage(part) for part in parts)
    yield Stage(NEIGHBOURS[room])


def passes(tree: Path, stage: Stage) -> bool:
    """
    Do the tests pass in *tree*?  In a process of their own: what does not end, or takes the memory, fails.
    """
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = _run_here(tree, stage)
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _run_here(tree: Path, stage: Stage) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(tree)
    sys.path[:] = [str(tree), *(one for one in sys.path if one != str(ROOT))]
    for name in [one for one in sys.modules if one.partition(".")[0] in {"tests", "tscm"}]:
        del sys.modules[name]
    os.environ["TSCM_EXAMPLES_PART"] = str(FEW if stage.quick else 1)
    words = ["-q", "-x", "-n", "0", "-o", f"timeout={SECONDS_A_TEST}"]
    words += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before
    return int(pytest.main([*words, *stage.files]))


def is_noticed(tree: Path, mutant: Mutant) -> bool:
    """Make the change in *tree*, run the tests, take the change back."""
    path = tree / mutant.path
    text = path.read_text("utf-8")
    _write(path, changed(text, mutant))
    try:
        return not all(passes(tree, stage) for stage in stages(path.parent.name, path.stem))
    finally:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    """Without the compiled module, which is told from its source by second and size alone."""
    path.write_text(text, "utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def copy_of_the_tree(folder: Path) -> Path:
    """What the tests need, the compiled helpers included."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


@define
class Tried:
    """What became of the changes so far; each is kept in the file *results* as soon as it is known."""

    results: Path
    tree: str
    """A digest of the sources: what was found in another tree counts no more."""
    noticed: int = 0
    survived: list[Mutant] = field(factory=list)

    def resumed(self, mutants: Sequence[Mutant]) -> list[Mutant]:
        """Those of *mutants* that no earlier run tried; what became of the others is counted."""
        lines = self.results.read_text("utf-8").splitlines() if self.results.exists() else []
        if lines[:1] != [self.tree]:
            self.results.parent.mkdir(parents=True, exist_ok=True)
            self.results.write_text(f"{self.tree}\n", "utf-8")
            lines = []
        known = {mutant: word for word, _, mutant in (line.partition(" ") for line in lines[1:])}
        left = []
        for mutant in mutants:
            word = known.get(_key(mutant))
            if word is None:
                left.append(mutant)
            elif word == "noticed":
                self.noticed += 1
            else:
                self.survived.append(mutant)
        return left

    def add(self, mutant: Mutant, *, noticed: bool) -> None:
        """One more is known."""
        if noticed:
            self.noticed += 1
        else:
            self.survived.append(mutant)
        with self.results.open("a", encoding="utf-8") as file:
            file.write(f"{'noticed' if noticed else 'survived'} {_key(mutant)}\n")

    @property
    def share(self) -> float:
        """Noticed, in percent."""
        return 100 * self.noticed / max(1, self.noticed + len(self.survived))

    def show(self) -> None:
        """The survivors and the share."""
        print(f"\n{self.noticed + len(self.survived)} changes tried, {self.share:.0f}% noticed")
        for mutant in sorted(self.survived, key=lambda one: (one.path, one.line)):
            print(f"  {mutant}")


def _key(mutant: Mutant) -> str:
    """One line that no other change of the tree has."""
    return f"{mutant.start}-{mutant.end} {mutant}"


def try_all(
    folder: Path, mutants: Sequence[Mutant], processes: int, tried: Tried, until: float
) -> int:
    """
    Try the changes, some at a time, each in a tree that no other one changes; how many are left.

    None begins after *until*, by the monotonic clock.
    """
    free = [copy_of_the_tree(folder / str(number)) for number in range(processes)]
    under_way: dict[int, tuple[Path, Mutant]] = {}
    todo = list(reversed(mutants))
    while under_way or (todo and time.monotonic() < until):
        while todo and free and time.monotonic() < until:
            tree, mutant = free.pop(), todo.pop()
            child = os.fork()
            if child == 0:
                os._exit(0 if is_noticed(tree, mutant) else 3)
            under_way[child] = tree, mutant
        child, status = os.wait()
        tree, mutant = under_way.pop(child)
        free.append(tree)
        noticed = os.waitstatus_to_exitcode(status) != 3
        tried.add(mutant, noticed=noticed)
        print("noticed " if noticed else "SURVIVED", mutant, flush=True)
    return len(todo)


def digest_of(rooms: Sequence[str]) -> str:
    """Of the modules of *rooms* and of all tests, whichever of them run."""
    found = hashlib.sha256()
    for folder in (*(ROOT / "tscm" / room for room in rooms), ROOT / "tests"):
        for path in sorted(folder.rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What `make mutants ARGS=…` may say."""
    parser = argparse.ArgumentParser(prog="mutants", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rooms", nargs="+", default=sorted(NEIGHBOURS), choices=NEIGHBOURS)
    parser.add_argument("--module", help="only this module of the rooms, without .py")
    parser.add_argument(
        "--sample", type=int, default=100, help="changes to try; 0 for all (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which changes (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at a time (%(default)s)")
    parser.add_argument(
        "--least", type=float, default=85, help="percent to be noticed (%(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=20, help="begin no change after (%(default)s)"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / ".make" / "mutants.txt",
        help="what was found, for the next run (%(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 when fewer changes are noticed than wanted, 2 when the tests fail without any."""
    chosen = options(arguments)
    mutants = [
        mutant
        for room in chosen.rooms
        for path in sorted((ROOT / "tscm" / room).glob("*.py"))
        if chosen.module in {None, path.stem}
        for mutant in changes_of(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]
    print(f"{len(mutants):,} possible changes", flush=True)
    if 0 < chosen.sample < len(mutants):
        mutants = random.Random(chosen.seed).sample(mutants, chosen.sample)
    for name in PRELOADED:
        importlib.import_module(name)
    tried = Tried(chosen.results, digest_of(chosen.rooms))
    mutants = tried.resumed(mutants)
    left = len(mutants)
    print(f"{left:,} to try", flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        clean = copy_of_the_tree(Path(folder, "clean"))
        for room in chosen.rooms:
            for stage in stages(room, "none"):
                if not stage.quick and not passes(clean, stage):
                    print(f"without a change, these fail: {' '.join(stage.files)}")
                    return 2
        until = time.monotonic() + 60 * chosen.minutes
        with contextlib.suppress(KeyboardInterrupt):
            left = try_all(Path(folder), mutants, chosen.processes, tried, until)
    tried.show()
    if left:
        print(f"{left:,} are left for the next run, which goes on from {chosen.results}")
    return int(tried.share < chosen.least)


if __name__ == "__main__":
    sys.exit(main())
