"""
A policy server that does what a test tells it to, on a real socket.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Talk = Callable[[socket.socket, dns.message.Message], None]
"""Answers one question on the open connection; closing it ends the connection."""

SOA = "ns.z.example. h.z.example. {serial} 3600 600 86400 300"


def rrset(kind: str, *texts: str, owner: str = "z.example.") -> dns.rrset.RRset:
    return dns.rrset.from_text(owner, 60, "IN", kind, *texts)


def soa(serial: int, owner: str = "z.example.") -> dns.rrset.RRset:
    return rrset("SOA", SOA.format(serial=serial), owner=owner)


def reply(
    query: dns.message.Message,
    answer: Sequence[dns.rrset.RRset] = (),
    rcode: int = 0,
    flags: int = 0,
) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    response.flags |= dns.flags.AA | flags
    response.answer.extend(answer)
    return response.to_wire(max_size=65535, want_shuffle=False)


def send(one: socket.socket, wire: bytes) -> None:
    one.sendall(struct.pack(">H", len(wire)) + wire)


def recv_exactly(one: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = one.recv(count - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


@contextmanager
def server(talk: Talk, keyring: Any = None) -> Iterator[int]:
    """Listen on a port of the kernel's choosing; one thread a connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve(one: socket.socket) -> None:
        with suppress(OSError), one:
            while True:
                size = int.from_bytes(recv_exactly(one, 2), "big")
                talk(one, dns.message.from_wire(recv_exactly(one, size), keyring=keyring))

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            connections.append(one)
            threading.Thread(target=serve, args=(one,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        accepting.join(5)
