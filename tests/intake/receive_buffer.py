"""
A socket whose buffer holds what a test sends before anything is read.
"""

import socket

import pytest

SO_RCVBUFFORCE = 33
_SHARE = 4
"""The kernel counts about 768 octets for a short datagram, so less than what was asked for may do."""


def large_buffer(heard: socket.socket, octets: int) -> None:
    """
    Ask for *octets*: beyond `net.core.rmem_max` where the test is root, and else as far as that lets it.

    A host with the default of 208 KB, and no right to go beyond, cannot run such a test.
    """
    try:
        heard.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
    except PermissionError:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    if heard.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < octets // _SHARE:
        pytest.skip("lacks a receive buffer: run as root, or raise net.core.rmem_max")
