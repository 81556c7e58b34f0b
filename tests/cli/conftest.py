"""
A root of its own for each test, and `tsadmin` run in it as a program.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from attrs import frozen

from tscm.cli import main, standalone

if TYPE_CHECKING:
    from tests.cli.tsadmin_with_fakes import REACH
else:
    from tsadmin_with_fakes import REACH

FAKES = Path(__file__).parent / "tsadmin_with_fakes.py"
ALL = {
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
    "username": "api",
}


@frozen
class Ended:
    status: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


Tsadmin = Callable[..., Ended]
Options = Callable[..., list[str]]
Add = Callable[..., Ended]
Stored = Callable[[], list[str]]
Start = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node with a policy server."""
    folder = tmp_path / "node"
    (folder / "etc/tscm").mkdir(parents=True)
    (folder / "etc/tscm/tscm.toml").write_text(
        'address = "192.0.2.1"\n[policy]\nservers = ["127.0.0.1:1"]\ntimeout_seconds = 2\n'
        '[upload]\nurl = "https://127.0.0.1:2/"\n'
    )
    return folder


@pytest.fixture
def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONWARNINGS": "error", "TERM": "xterm"}


@pytest.fixture
def tsadmin(root: Path, monkeypatch: pytest.MonkeyPatch) -> Tsadmin:
    """`tsadmin` in this process, with lists and firewall made up."""
    made = partial(standalone.StandaloneBackend, reach=REACH)
    monkeypatch.setattr(standalone, "StandaloneBackend", made)

    def run(*words: str, stdin: str = "") -> Ended:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            status = main.run(["--root", str(root), *words])
        out.flush()
        err.flush()
        said = (out.buffer.getvalue().decode(), err.buffer.getvalue().decode())
        assert "Traceback" not in "".join(said)
        return Ended(status, *said)

    return run


@pytest.fixture
def tsadmin_process(root: Path, environment: dict[str, str]) -> Tsadmin:
    """`tsadmin` in a process of its own, with lists and firewall made up."""

    def run(*words: str, stdin: str = "", fakes: bool = True) -> Ended:
        program = [str(FAKES)] if fakes else ["-m", "tscm"]
        done = subprocess.run(
            [sys.executable, *program, "--root", str(root), *words],
            input=stdin.encode(),
            capture_output=True,
            env=environment,
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err
        return Ended(done.returncode, out, err)

    return run


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """What `add` needs, as options, with some of it changed or left out (None)."""
    file = tmp_path / "password"
    file.write_text("s3cret\n")

    def made(**changed: str | None) -> list[str]:
        table = {**ALL, "password_file": str(file), **changed}
        return [f"--{name}={value}" for name, value in table.items() if value is not None]

    return made


@pytest.fixture
def add(tsadmin: Tsadmin, options: Options) -> Add:
    """`tsadmin add` with everything by options."""

    def run(name: str | None = "tstest", **changed: str | None) -> Ended:
        words = [] if name is None else ["--", name]
        return tsadmin("add", "--type=asarest", *options(**changed), *words, stdin="s3cret\n")

    return run


@pytest.fixture
def stored(root: Path) -> Callable[[], list[str]]:
    """Every file that the node's settings and state consist of, less the locks."""
    return lambda: sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.name not in {"tscm.toml", "lock", "policy.lock", "tscm.db"}
    )


@pytest.fixture
def start(root: Path, environment: dict[str, str]) -> Iterator[Start]:
    """`tsadmin` on a pseudo-terminal."""
    children = []

    def spawn(*words: str, fakes: bool = True) -> Any:
        program = [str(FAKES)] if fakes else ["-m", "tscm"]
        child = pexpect.spawn(
            sys.executable,
            [*program, "--root", str(root), *words],
            env=environment,
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 200),
        )
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)
