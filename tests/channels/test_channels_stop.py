"""
A stop in the midst of a message: the connection is cut off, and nothing is said against the other side.
"""

import socket
import threading
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.kinds.asa.rest.test_rest_trickle import serving
from tscm.alarms.heartbeat import Heartbeat
from tscm.base.deadline import Scope
from tscm.base.host_port import HostPort
from tscm.channels.fault import ChannelFault, ChannelStopped
from tscm.channels.mail import Mail, send_mail
from tscm.channels.webhook import post
from tscm.settings.alarms import MailSettings, WebhookSettings
from tscm.settings.layout import Layout


def hook(folder: Path, port: int) -> None:
    wanted = WebhookSettings(
        url=f"http://127.0.0.1:{port}/x", allow_private=True, timeout_seconds=600.0
    )
    post(wanted, Layout(folder), b"{}", 0.0)


def mail(folder: Path, port: int) -> None:
    one = Mail(sender="a@example.net", to=("b@example.net",), content=EmailMessage())
    wanted = MailSettings(
        server=HostPort("127.0.0.1", port),
        security="none",
        sender=one.sender,
        to=one.to,
        timeout_seconds=600.0,
    )
    send_mail(wanted, Layout(folder), one)


@pytest.mark.parametrize("send", [hook, mail])
def test_a_stop_cuts_a_message_off_and_blames_nobody(
    send: Callable[[Path, int], None], tmp_path: Path
) -> None:
    asked, scope = threading.Event(), Scope()

    def silent(one: socket.socket) -> None:
        if send is mail:
            one.sendall(b"220 here\r\n")
        while one.recv(65536):
            asked.set()

    with serving(silent) as root:
        faults: list[ChannelFault] = []

        def run() -> None:
            with pytest.raises(ChannelFault) as bad:
                scope.run(send, tmp_path, int(root.removesuffix("/api").rpartition(":")[2]))
            faults.append(bad.value)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert asked.wait(30)
        scope.hurry()
        thread.join(60)
    assert isinstance(faults[0], ChannelStopped)
    assert "because the manager is stopping; no action is needed" in str(faults[0])
    assert "check" not in str(faults[0])


def test_a_sign_of_life_that_a_stop_cuts_off_is_no_fault() -> None:
    async def send() -> str:
        raise ChannelStopped("http://beat.example")

    clock = Clock()
    heart = Heartbeat(clock, 60.0, send, lambda: True)
    heart.startService()
    clock.advance(60)
    assert heart.error is None
    heart.stopService()
