"""
Output that cannot be written breaks off no operation that changes something.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tscm.cli import standalone_store
from tscm.cli.main import run
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.streams import lead_nowhere
from tscm.manager.node import Node
from tscm.model import Progress
from tscm.operations.arguments import Push
from tscm.operations.call import Call
from tscm.operations.calls import Calls
from tscm.operations.job_figures import JobFigures, JobState
from tscm.settings.layout import Layout
from tscm.store.audits import Audits
from tscm.store.database import Store
from tscm.update.figures import Result, UpdateTold

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Options, Stored, Tsadmin

FAKES = Path(__file__).parent / "tsadmin_with_fakes.py"
STEPS = 20
JOB = JobFigures(
    number=1,
    operation="update",
    device="fw",
    actor="root",
    attached=True,
    state=JobState.QUEUED,
    waits_for="an update of fw",
    asked_at=0.0,
)


@pytest.fixture(params=["nobody reads", "full disk"])
def lost(request: pytest.FixtureRequest) -> Iterator[int]:
    """A descriptor on which nothing can be written."""
    if request.param == "nobody reads":
        reader, writer = os.pipe()
        os.close(reader)
    elif Path("/dev/full").exists():
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        pytest.skip("needs /dev/full")
    yield writer
    os.close(writer)


def in_process(root: Path, environment: dict[str, str], words: list[str], **streams: Any) -> int:
    return subprocess.run(
        [sys.executable, str(FAKES), "--root", str(root), *words],
        stdin=subprocess.DEVNULL,
        env=environment,
        timeout=120,
        check=False,
        **streams,
    ).returncode


@pytest.mark.parametrize("aside", [False, True])
def test_a_device_is_added_though_nobody_reads(
    lost: int,
    root: Path,
    environment: dict[str, str],
    options: "Options",
    stored: "Stored",
    *,
    aside: bool,
) -> None:
    words = ["add", "--type=asarest", *options(), "--", "tstest"]
    errors = lost if aside else subprocess.DEVNULL
    assert in_process(root, environment, words, stdout=lost, stderr=errors) == 0
    assert stored() == ["etc/tscm/devices/tstest.toml", "var/lib/tscm/key"]


def test_what_failed_has_its_own_status_though_nobody_reads(
    lost: int, root: Path, environment: dict[str, str], options: "Options", stored: "Stored"
) -> None:
    words = ["add", "--type=asarest", *options(device="192.0.2.66"), "--", "tstest"]
    assert in_process(root, environment, words, stdout=lost, stderr=lost) == 1
    assert "etc/tscm/devices/tstest.toml" not in stored()


def test_an_update_without_a_manager_comes_to_its_end_and_is_recorded(
    lost: int, root: Path, add: "Add", tsadmin: "Tsadmin", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert add().status == 0
    reported = []

    async def update(node: Node, args: Push, call: Call) -> UpdateTold:
        for done in range(STEPS):
            call.report(Progress(phase="push", text=f"step {done}"))
            reported.append(done)
        return UpdateTold(result=Result.CHANGED, sentence=f"{args.name} got 1 entry")

    monkeypatch.setattr(standalone_store, "Calls", partial(Calls, handlers=lambda _: update))
    with open(lost, "w", closefd=False) as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        status = run(["--root", str(root), "update", "tstest"])
    assert (status, len(reported)) == (0, STEPS)
    with closing(Store(Layout(root).database)) as store:
        store.open()
        kept = Audits(store).latest("tstest", 0.0, 1)
    assert [(one.operation, one.outcome) for one in kept] == [("update", "done")]


def test_progress_that_cannot_be_written_goes_quiet(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(lost, "w", closefd=False) as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        with shown_progress() as report:
            report(Progress(phase="push", text="one"))
            report(Progress(phase="push", text="two"))
        waits_told()(JOB)
        lead_nowhere(out)  # or closing it would fail in its turn
