"""
`tsadmin demo`: the stage is set, the story is played, everything is taken down again.
"""

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tscm.demo.asking import OpenBackend
from tscm.demo.screen import Screen
from tscm.demo.stage import Stage
from tscm.demo.story import Story
from tscm.errors import TscmError
from tscm.model import Report
from tscm.settings.layout import Layout

Say = Callable[[str], None]
ShownProgress = Callable[[], AbstractContextManager[Report]]


class DemoInterrupted(TscmError):
    """
    A signal ended the demonstration before its figures were there.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_status = 128 + number  # as a shell gives it: 130 after ^C
        super().__init__(number)

    def __str__(self) -> str:
        return "the demonstration was interrupted; everything that it started has been stopped"


def run_demo(
    *,
    keep: bool,
    json_output: bool,
    say: Say,
    open_backend: OpenBackend,
    shown_progress: ShownProgress,
) -> int:
    """
    Play the demonstration; 0 only if every figure balances.

    With *json_output* the closing figures are all that is said.  Raises `DemoInterrupted`.
    """
    folder = Path(tempfile.mkdtemp(prefix="tscm-demo-"))
    began = time.monotonic()
    quiet: Say = (lambda _: None) if json_output else say
    with nullcontext() if json_output else shown_progress() as live:
        screen = Screen(quiet, live)
        status: list[int] = []

        stage = Stage(folder)
        reactors: list[Any] = []

        def main(reactor: Any) -> Deferred[None]:
            reactors.append(reactor)
            story = Story(reactor, stage, screen, open_backend)
            begun: Deferred[None] = Deferred()
            reactor.callLater(0, begun.callback, None)  # by then the reactor hears signals
            play = Deferred.fromCoroutine(
                _play(begun, story, screen, status, keep=keep, began=began)
            )
            reactor.addSystemEventTrigger("before", "shutdown", _stopper(play))
            return play

        try:
            react(main)
        except SystemExit as end:
            if not status and not end.code:  # it was told to stop before there was a balance
                shutil.rmtree(folder, ignore_errors=True)
                raise DemoInterrupted(_told_by(reactors)) from None
            if not status:
                status.append(1)
        finally:
            stage.stop()  # a thread may have started one more when it was told to end
    if json_output:
        say(json.dumps({"balanced": screen.balanced, "checks": screen.checks}, indent=2))
    if status[0] == 0 or keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        quiet(f"   logs of the processes are in {folder}")
    return status[0]


def _told_by(reactors: list[Any]) -> int:
    """The number of the signal that stopped the reactor."""
    found = getattr(reactors[0], "_exitSignal", None) if reactors else None
    return int(found or signal.SIGINT)


def _stopper(play: Deferred[None]) -> Callable[[], Deferred[None]]:
    """
    What ends *play* before its time; its Deferred fires when everything was taken down.
    """
    ended: Deferred[None] = Deferred()
    stopped: list[bool] = []

    def over(result: Failure | None) -> Failure | None:
        ended.callback(None)
        return None if stopped else result  # what fails because it is ended is no fault

    def stop() -> Deferred[None]:
        stopped.append(True)
        play.cancel()
        return ended

    play.addBoth(over)
    return stop


async def _play(
    begun: Deferred[None],
    story: Story,
    screen: Screen,
    status: list[int],
    *,
    keep: bool,
    began: float,
) -> None:
    try:
        await begun
        await story.play()
        held = sum(1 for check in screen.checks if check["holds"])
        screen.say("")
        screen.say(
            f"{held} of {len(screen.checks)} figures balance, after {time.monotonic() - began:.0f} s"
        )
        status.append(0 if screen.balanced else 1)
        if keep:
            await _linger(story, screen)
    except TscmError as error:
        screen.say(f"[ERROR] : {error}")
        status[:] = [error.exit_status]
    finally:
        await story.siem.go_away()
        stopped = story.proxy.stop()
        if stopped is not None:
            await stopped
        await deferToThread(story.stage.stop)


async def _linger(story: Story, screen: Screen) -> None:
    """Stay until the operator has seen enough, and ends it by a signal."""
    page = await deferToThread(story.stage.start_page)
    if page is not None:
        screen.say("")
        screen.say(f"The page is at {page.url}; the one-time code for its first user: {page.code}")
        screen.say(f"Its certificate has SHA-256 {page.fingerprint}")
    screen.say("")
    screen.say("The demo keeps running; press ^C to stop it.  In another terminal:")
    for words in ways_to_look(story.stage.layout, story.stage.firewalls[0].name):
        screen.say(f"   {words}")
    await Deferred()


def ways_to_look(layout: Layout, name: str) -> Iterator[str]:
    """What to type to look around; *name* is one of the devices."""
    yield f"export TSCM_ROOT={layout.root}"
    if sys.prefix != sys.base_prefix:  # in an environment of its own: no PATH has its tsadmin
        yield f'export PATH="{Path(sys.executable).parent}:$PATH"'
    for words in (
        "list",
        f"show {name}",
        f"show {name} --lines",
        f"plan {name}",
        f"report {name} --by outside",
        f"update {name}",
        f"logs {name}",
        "ledger",
        "senders",
    ):
        yield f"tsadmin {words}"
    yield f"tail -f {layout.device_log(name)}/syslog"
