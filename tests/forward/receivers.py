"""
Receivers of syslog on loopback that tests look into.
"""

import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor as twisted_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import deferLater

from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS

reactor: Any = twisted_reactor  # the tests need more of it than its interfaces tell


async def until(what: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until *what* holds; fail after a while."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await deferLater(reactor, 0.01)


class _Taking(Protocol):
    def connectionMade(self) -> None:
        assert isinstance(self.factory, TcpReceiver)
        self.factory.connections.append(self)
        self.factory.streams.append(bytearray())
        self.stream = self.factory.streams[-1]
        if self.factory.deaf:
            transport: Any = self.transport
            transport.stopReading()

    def dataReceived(self, data: bytes) -> None:
        self.stream += data

    def connectionLost(self, reason: object = None) -> None:
        assert isinstance(self.factory, TcpReceiver)
        self.factory.connections.remove(self)


@define(eq=False)
class TcpReceiver(Factory):
    """
    Takes connections and keeps what came over each; deaf, it accepts and never reads.
    """

    deaf: bool = False
    connections: list[_Taking] = field(factory=list)
    streams: list[bytearray] = field(factory=list)
    noisy = False
    _port: Any = None
    number: int = 0

    protocol = _Taking

    def listen(self) -> int:
        self.number = self.number or held_port()  # it may go away, and come again
        self._port = reactor.listenTCP(self.number, self, interface="127.0.0.1")
        return self.number

    def reset_all(self) -> None:
        """Close hard: the peer gets RST."""
        for one in list(self.connections):
            transport: Any = one.transport
            handle = transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abortConnection()

    def close_all(self) -> None:
        for one in list(self.connections):
            transport: Any = one.transport
            transport.loseConnection()

    async def stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
        self.reset_all()
        await until(lambda: not self.connections)

    @property
    def data(self) -> bytes:
        return b"".join(bytes(one) for one in self.streams)


class UdpReceiver(DatagramProtocol):
    """
    Keeps every datagram.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._port: Any = None
        self.number = 0

    def datagramReceived(self, datagram: bytes, _: object) -> None:
        self.heard.append(datagram)

    def listen(self) -> int:
        self.number = self.number or held_port()
        port: Any = reactor.listenUDP(self.number, self, "127.0.0.1", 65535)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._port = port
        return self.number

    async def stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped


@define(eq=False)
class Rsyslog:
    """
    An rsyslogd that writes every message as it was received to one file.
    """

    folder: Path
    number: int = 0
    template: str = "%rawmsg%"
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def out(self) -> Path:
        return self.folder / "received"

    @property
    def data(self) -> bytes:
        return self.out.read_bytes() if self.out.exists() else b""

    def start(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.number = self.number or held_port()
        settings = f"""
global(workDirectory="{self.folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off"
       net.enableDNS="off")
module(load="imtcp")
module(load="imudp")
template(name="raw" type="string" string="{self.template}\\n")
ruleset(name="all") {{
  action(type="omfile" file="{self.out}" template="raw" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" port="{self.number}" address="127.0.0.1" ruleset="all")
input(type="imudp" port="{self.number}" address="127.0.0.1" ruleset="all" rcvbufSize="8m")
"""
        file = self.folder / "rsyslog.conf"
        file.write_text(settings)
        with (self.folder / "rsyslog.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["rsyslogd", "-n", "-f", str(file), "-i", str(self.folder / "pid")],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.number)) == 0:
                    return self.number
            assert self._process.poll() is None, (self.folder / "rsyslog.log").read_text()
            assert time.monotonic() < deadline, "rsyslogd does not listen"
            time.sleep(0.05)

    def stop(self, *, hard: bool = False) -> None:
        if self._process is not None:
            if hard:
                self._process.kill()
            else:
                self._process.terminate()
            self._process.wait(60)
            self._process = None
