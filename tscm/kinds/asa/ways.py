"""
Which ways to an ASA answer, asked without an account.  Blocking, each within a few seconds.

What answers is told by what only that way says: a greeting of SSH, or the refusal of a path by who would have to log
in for it.  No password is sent, and no certificate or host key believed.
"""

import re
import socket
from contextlib import closing, suppress

from tscm.base.deadline import CutOff
from tscm.kinds.asa.settings import AsaHttpsSettings, in_url
from tscm.kinds.asa.tls import unverifying_context
from tscm.settings.device import DeviceSettings

SECONDS = 5.0
SSH_PORT = 22
_HTTPS_PORT = 443
_MOST_BYTES = 4096
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?![0-9])")
_NOBODY = (400, 401)
"""Answers to who shows no account, or to a client that may not log in so."""


def ssh_answers(settings: DeviceSettings) -> bool:
    """Does its command line greet?"""
    return _said(settings.device, SSH_PORT, None, b"\n").startswith(b"SSH-")


def http_answers(settings: DeviceSettings) -> bool:
    """Does its HTTP interface ask who wants to know?"""
    return _status(settings, "/admin/exec/show%20version", "ASDM") in _NOBODY


def rest_answers(settings: DeviceSettings) -> bool:
    """Does its REST API agent?"""
    path = "/api/monitoring/device/components/version"
    return _status(settings, path, "REST API Agent") in _NOBODY


def https_port(settings: DeviceSettings) -> int:
    """Where its web server listens, as far as the settings tell."""
    return settings.https_port if isinstance(settings, AsaHttpsSettings) else _HTTPS_PORT


def _status(settings: DeviceSettings, path: str, agent: str) -> int | None:
    ask = f"GET {path} HTTP/1.0\r\nHost: {in_url(settings.device)}\r\nUser-Agent: {agent}\r\n\r\n"
    found = _STATUS.match(_said(settings.device, https_port(settings), ask.encode(), b"\r\n"))
    return int(found[1]) if found else None


def _said(host: str, port: int, ask: bytes | None, end: bytes) -> bytes:
    """What comes first, up to *end*: over TLS where there is something to *ask*; empty where nothing does."""
    said, cut = b"", CutOff()
    with suppress(OSError), cut.within(SECONDS), closing(cut.connect(host, port, SECONDS)) as tcp:
        stream: socket.socket = tcp
        if ask is not None:
            stream = unverifying_context().wrap_socket(tcp, server_hostname=host)
        with closing(stream):
            if ask is not None:
                stream.sendall(ask)
            while end not in said and len(said) < _MOST_BYTES:
                piece = stream.recv(_MOST_BYTES)
                if not piece:
                    break
                said += piece
    return said
