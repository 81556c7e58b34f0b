"""
Which ways to a firewall answer, and what is said of them where the one that was chosen does not.
"""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.kinds.asa.http.http_device import http_settings
from tests.kinds.asa.rest.asa_device import in_thread, settings_for
from tscm.base.secrets import Secret
from tscm.devices.other_ways import other_ways, with_other_ways
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import ways
from tscm.kinds.asa.http.settings import AsaHttpSettings
from tscm.settings.device import DeviceSettings
from tscm.simulator.service import AsaOptions, SimulatedAsa


def asa_of(profile: str) -> SimulatedAsa:
    return SimulatedAsa(
        reactor, AsaOptions(password="secret", profile=profile, ssh=("127.0.0.1", 0))
    )


def at_port(port: int) -> DeviceSettings:
    return AsaHttpSettings(
        name="fw",
        device_id="tdid_test1",
        device="127.0.0.1",
        block_list="block.example",
        allow_list="allow.example",
        username="api",
        password=Secret("secret"),
        http_port=port,
    )


@pytest.mark.parametrize(
    ("profile", "found"),
    [("FPR-1010", [False, True, True]), ("ASAv10", [True, True, True])],
)
@pytest_twisted.ensureDeferred
async def test_what_answers_is_told_without_an_account(
    profile: str, found: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asa = asa_of(profile)
    asa.startService()
    monkeypatch.setattr(ways, "SSH_PORT", asa.ssh_port)
    settings = settings_for(asa)

    def look() -> list[bool]:
        return [
            ways.rest_answers(settings),
            ways.http_answers(settings),
            ways.ssh_answers(settings),
        ]

    assert await in_thread(look) == found
    assert await in_thread(other_ways, settings) == ["asa", "asahttp"]
    others = ["asa", "asarest"] if found[0] else ["asa"]
    assert await in_thread(other_ways, http_settings(asa)) == others
    assert not asa.device.accounts.failures
    await asa.stopService()
    assert await in_thread(other_ways, settings) == []


@pytest.mark.parametrize("said", [b"", b"\r\n", b"HTTP/1.1 200 OK\r\n", b"x" * 100_000, b"SSH-"])
@pytest_twisted.ensureDeferred
async def test_something_else_that_listens_is_no_way(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                one, _ = listener.accept()
                with one:
                    one.sendall(said[:4096])

        port = listener.getsockname()[1]
        monkeypatch.setattr(ways, "SSH_PORT", port)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        settings = at_port(port)

        def look() -> tuple[bool, bool]:
            return ways.ssh_answers(settings), ways.http_answers(settings)

        assert await in_thread(look) == (said == b"SSH-", False)
        thread.join(10)


@pytest.mark.parametrize(
    ("kind", "found", "told"),
    [
        (faults.Unreachable, [], "the remedy"),
        (faults.Unreachable, ["asa"], "the remedy; SSH answers at 127.0.0.1: `--type asa`"),
        (
            faults.InterfaceAbsent,
            ["asa", "asahttp"],
            "the remedy; SSH and the HTTP interface answer at 127.0.0.1: `--type asa` or `--type asahttp`",
        ),
        (faults.Unauthorised, ["asa"], "the remedy"),
        (faults.Untrusted, ["asa"], "the remedy"),
    ],
)
def test_a_remedy_names_the_ways_that_were_seen_to_be_open(
    kind: Callable[..., DeviceFault], found: list[str], told: str
) -> None:
    asked: list[Any] = []

    def look(settings: Any) -> list[str]:
        asked.append(settings)
        return found

    settings = at_port(1)
    fault = with_other_ways(kind("fw", "the cause", "the remedy"), settings, look)
    assert fault.remedy == told
    assert bool(asked) == (kind in {faults.Unreachable, faults.InterfaceAbsent})
