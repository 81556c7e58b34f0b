"""
The kind `asahttp`: an ASA that is reached by its HTTP interface.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tscm import __version__
from tscm.kinds import questions as shared
from tscm.kinds.asa import questions as asa
from tscm.kinds.asa.common import ENFORCER, PROOF, PURGE, holders, notes, sizes, way_back
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.http.settings import AsaHttpSettings, asa_http
from tscm.kinds.kind import Kind
from tscm.kinds.question import Question
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings

LINKS = ("reachability", "login", "privilege", "HTTP interface")
"""Of the way in; each is examined where the one before it is good."""
NOTHING_LEARNT: Mapping[str, Any] = {}

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


def warnings(settings: DeviceSettings) -> Sequence[str]:
    """What is not safe about the way."""
    return asa.unsafe_certificates(asa_http(settings).allow_self_signed)


def setup(settings: DeviceSettings, node: NodeSettings) -> str:
    """What to type before the first update."""
    from tscm.kinds.asa.http.lines import setup_lines

    return setup_lines(settings, node)


KIND = Kind(
    type="asahttp",
    module="ts-asahttp",
    version=__version__,
    settings=AsaHttpSettings,
    questions=(
        shared.DEVICE_ID,
        shared.DEVICE,
        shared.BLOCK_LIST,
        shared.ALLOW_LIST,
        asa.PREFIX,
        asa.allow_self_signed(AsaHttpSettings),
        asa.MAX_POLICY_SIZE,
        shared.SEND_LOGS,
        asa.USERNAME,
        asa.PASSWORD,
        HTTP_PORT,
        USER_AGENT,
        shared.DNS_PORT,
        shared.SYSLOG_SOURCES,
        shared.LOG_ROTATE_SIZE,
        shared.POLICY_UPDATES,
        *shared.FORWARD,
        *shared.PROXY,
        shared.HA_MEMBERS,
        asa.OBJECT_GROUP_SIZE,
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
    enforcer=ENFORCER,
    doctor="tscm.kinds.asa.http.doctor:look",
    purge=PURGE,
    proof=PROOF,
    way="the HTTP interface",
    answers="tscm.kinds.asa.ways:http_answers",
    connect=connect,
    notes=notes,
    warnings=warnings,
    setup=setup,
    way_back=way_back,
    holders=holders,
    sizes=sizes,
    reloads=True,
    prepared=("tscm.kinds.asa.lines", "tscm.kinds.asa.http.opening"),
    called="ASA",
)
