"""
The kind `asarest`: an ASA that is reached by its REST API agent.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tscm.kinds.asa import questions as asa
from tscm.kinds.asa.common import asa_kind, told_of, unsafe_certificates
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.kind import NOTHING_LEARNT
from tscm.kinds.question import AUTO, Question
from tscm.model import Identity
from tscm.settings.device import DeviceSettings

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings

LINKS = ("reachability", "login", "privilege", "agent")
"""Of the way in; each is examined where the one before it is good."""

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
    node: "NodeSettings",  # noqa: ARG001 - nothing of the node decides on it
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    /,
    *,
    accept_certificate: str | None = None,
) -> AsaDriver:
    """The driver over the agent."""
    from tscm.kinds.asa.rest.opening import open_driver

    return open_driver(settings, learnt, accept_certificate=accept_certificate)


def notes(settings: DeviceSettings, who: Identity) -> Sequence[str]:
    """What the device said of itself."""
    return [
        told_of(settings, who),
        "ASA support through the REST API is in beta",
    ]


def setup(settings: DeviceSettings, node: "NodeSettings") -> str:
    """What to type before the first update."""
    from tscm.kinds.asa.rest.lines import setup_lines

    return setup_lines(settings, node)


KIND = asa_kind(
    type="asarest",
    module="ts-asarest",
    settings=AsaRestSettings,
    questions=asa.questions(
        way=(TOKEN_AUTH, asa.ALLOW_SELF_SIGNED), login=(asa.PASSWORD,), late=(REST_URL,)
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
    doctor="tscm.kinds.asa.rest.doctor:look",
    way="the REST API agent",
    answers="tscm.kinds.asa.ways:rest_answers",
    connect=connect,
    notes=notes,
    warnings=unsafe_certificates,
    setup=setup,
    prepared=("tscm.kinds.asa.lines", "tscm.kinds.asa.rest.opening"),
)
