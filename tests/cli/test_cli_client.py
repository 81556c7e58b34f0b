"""
`tsadmin` and a manager that ends, or is no longer waited for, in the midst of its answer.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tscm.cli.client import ManagerBackend, WaitInterrupted
from tscm.errors import ControlUnavailable
from tscm.model import Progress
from tscm.risks import NOTHING


class Stream(httpx.SyncByteStream):
    def __init__(self, ending: BaseException | None) -> None:
        self.ending = ending

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"progress": {"phase": "push", "text": "changing groups", "done": 1, "total": 9}}\n'
        if self.ending is not None:
            raise self.ending


def update(ending: BaseException | None) -> list[Progress]:
    seen: list[Progress] = []
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Stream(ending)))
    ManagerBackend(Path("/run/tscm/control.sock"), transport).update(
        "fw", seen.append, consent=NOTHING
    )
    return seen


@pytest.mark.parametrize("ending", [None, httpx.RemoteProtocolError("incomplete chunked read")])
def test_an_answer_that_breaks_off_says_where_to_look(ending: BaseException | None) -> None:
    with pytest.raises(ControlUnavailable, match=r"broke off; see .*`tsadmin show NAME`") as caught:
        update(ending)
    assert "chunked" not in str(caught.value)


def test_an_interrupt_says_that_the_manager_goes_on() -> None:
    with pytest.raises(WaitInterrupted, match="goes on with it: `tsadmin show NAME`") as caught:
        update(KeyboardInterrupt())
    assert caught.value.exit_status == 130
