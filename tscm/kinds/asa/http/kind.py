"""
The kind `asahttp`: an ASA that is reached by its HTTP interface.
"""

from collections.abc import Mapping
from typing import Any

from tscm.kinds.asa import questions as asa
from tscm.kinds.asa.common import asa_kind, notes, unsafe_certificates
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.http.settings import AsaHttpSettings
from tscm.kinds.kind import NOTHING_LEARNT
from tscm.kinds.question import Question
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings

LINKS = ("reachability", "login", "privilege", "HTTP interface")
"""Of the way in; each is examined where the one before it is good."""

HTTP_PORT = Question(
    of=AsaHttpSettings,
    name="http_port",
    words="HTTPS port : (as in `http server enable PORT`)",
    advanced=True,
)
USER_AGENT = Question(
    of=AsaHttpSettings,
    name="user_agent",
    words="User-Agent : (one that the device lets log in)",
    advanced=True,
)


def connect(
    settings: DeviceSettings,
    node: NodeSettings,  # noqa: ARG001 - nothing of the node decides on it
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    /,
    *,
    accept_certificate: str | None = None,
) -> AsaDriver:
    """The driver over the HTTP interface."""
    from tscm.kinds.asa.http.opening import open_driver

    return open_driver(settings, learnt, accept_certificate=accept_certificate)


def setup(settings: DeviceSettings, node: NodeSettings) -> str:
    """What to type before the first update."""
    from tscm.kinds.asa.http.lines import setup_lines

    return setup_lines(settings, node)


KIND = asa_kind(
    type="asahttp",
    module="ts-asahttp",
    settings=AsaHttpSettings,
    questions=asa.questions(
        way=(asa.ALLOW_SELF_SIGNED,), login=(asa.PASSWORD, HTTP_PORT, USER_AGENT)
    ),
    links=LINKS,
    checked=frozenset(
        {
            "allow_self_signed",
            "username",
            "password",
            "http_port",
            "user_agent",
            "ca_file",
            "fingerprint",
        }
    ),
    doctor="tscm.kinds.asa.http.doctor:look",
    way="the HTTP interface",
    answers="tscm.kinds.asa.ways:http_answers",
    connect=connect,
    notes=notes,
    warnings=unsafe_certificates,
    setup=setup,
    prepared=("tscm.kinds.asa.lines", "tscm.kinds.asa.http.opening"),
)
