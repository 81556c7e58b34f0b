"""
The kind `asarest`: an ASA that is reached by its REST API agent.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tscm import __version__
from tscm.kinds import questions as shared
from tscm.kinds.asa import questions as asa
from tscm.kinds.asa.common import ENFORCER, PROOF, PURGE, holders, sizes, told_of, way_back
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.rest.settings import AsaRestSettings, asa_rest
from tscm.kinds.kind import Kind
from tscm.kinds.question import AUTO, Question
from tscm.model import Identity
from tscm.settings.device import DeviceSettings

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings

LINKS = ("reachability", "login", "privilege", "agent")
"""Of the way in; each is examined where the one before it is good."""
NOTHING_LEARNT: Mapping[str, Any] = {}

TOKEN_AUTH = Question(of=AsaRestSettings, name="token_auth", words="Token Auth? (yes or no)")
REST_URL = Question(
    of=AsaRestSettings,
    name="rest_url",
    words="Custom REST API URL: (Custom REST API URL if it is non-standard\n"
    "  https://<device_ip>/api. If unsure leave default value 'auto'.)\n",
    advanced=True,
    unset=AUTO,
)


def connect(
    settings: DeviceSettings,
    node: "NodeSettings",
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    /,
    *,
    accept_certificate: str | None = None,
) -> AsaDriver:
    """The driver over the agent."""
    from tscm.kinds.asa.rest.opening import open_driver

    return open_driver(settings, node, learnt, accept_certificate=accept_certificate)


def notes(settings: DeviceSettings, who: Identity) -> Sequence[str]:
    """What the device said of itself."""
    return [
        told_of(settings, who),
        "ASA support through the REST API is in beta",
    ]


def warnings(settings: DeviceSettings) -> Sequence[str]:
    """What is not safe about the way."""
    return asa.unsafe_certificates(asa_rest(settings).allow_self_signed)


def setup(settings: DeviceSettings, node: "NodeSettings") -> str:
    """What to type before the first update."""
    from tscm.kinds.asa.rest.lines import setup_lines

    return setup_lines(settings, node)


KIND = Kind(
    type="asarest",
    module="ts-asarest",
    version=__version__,
    settings=AsaRestSettings,
    questions=(
        shared.DEVICE_ID,
        shared.DEVICE,
        shared.BLOCK_LIST,
        shared.ALLOW_LIST,
        asa.PREFIX,
        TOKEN_AUTH,
        asa.allow_self_signed(AsaRestSettings),
        asa.MAX_POLICY_SIZE,
        shared.SEND_LOGS,
        asa.USERNAME,
        asa.PASSWORD,
        shared.DNS_PORT,
        shared.SYSLOG_SOURCES,
        shared.LOG_ROTATE_SIZE,
        shared.POLICY_UPDATES,
        *shared.FORWARD,
        *shared.PROXY,
        shared.HA_MEMBERS,
        REST_URL,
        asa.OBJECT_GROUP_SIZE,
    ),
    links=LINKS,
    checked=frozenset(
        {
            "token_auth",
            "allow_self_signed",
            "username",
            "password",
            "rest_url",
            "ca_file",
            "fingerprint",
        }
    ),
    enforcer=ENFORCER,
    doctor="tscm.kinds.asa.rest.doctor:look",
    purge=PURGE,
    proof=PROOF,
    way="the REST API agent",
    answers="tscm.kinds.asa.ways:rest_answers",
    connect=connect,
    notes=notes,
    warnings=warnings,
    setup=setup,
    way_back=way_back,
    holders=holders,
    sizes=sizes,
    reloads=True,
    prepared=("tscm.kinds.asa.lines", "tscm.kinds.asa.rest.opening"),
    called="ASA",
)
