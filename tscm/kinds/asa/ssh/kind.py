"""
The kind `asa`: an ASA that is reached by its command line over SSH.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from tscm.kinds.asa import questions as asa
from tscm.kinds.asa.common import asa_kind, notes
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.ssh.settings import AsaSshSettings, asa_ssh
from tscm.kinds.kind import NOTHING_LEARNT
from tscm.kinds.question import Question
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings

LINKS = (
    "reachability",
    "algorithms",
    "host key",
    "login",
    "enable",
    "pager",
    "context",
    "privilege",
)
"""Of the way in; each is examined where the one before it is good."""

SSH_PORT = Question(of=AsaSshSettings, name="ssh_port", words="SSH port :", advanced=True)
PASSWORD = evolve(asa.PASSWORD, of=AsaSshSettings, instead="ssh_key")
ENABLE_PASSWORD = Question(
    of=AsaSshSettings,
    name="enable_password",
    words="Enable password : (Enter for none)",
    hidden=True,
)
PASSWORD_PROMPT = Question(
    of=AsaSshSettings,
    name="password_prompt",
    words="Custom password prompt : (what `enable` prints)",
    advanced=True,
)
CONTEXT = Question(
    of=AsaSshSettings,
    name="context",
    words="Security context : (none for a device without)",
    advanced=True,
)
OLD_ALGORITHMS = Question(
    of=AsaSshSettings,
    name="ssh_old_algorithms",
    words="Take old SSH algorithms? (yes or no; yes is not safe)",
    advanced=True,
)


def connect(
    settings: DeviceSettings,
    node: NodeSettings,  # noqa: ARG001 - nothing of the node decides on it
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    /,
    *,
    accept_certificate: str | None = None,  # noqa: ARG001 - it has host keys, which are pinned
) -> AsaDriver:
    """The driver on the command line."""
    from tscm.kinds.asa.ssh.opening import open_driver

    return open_driver(settings, learnt)


def warnings(settings: DeviceSettings) -> Sequence[str]:
    """What is not safe about the way."""
    if not asa_ssh(settings).ssh_old_algorithms:
        return ()
    return [
        "Old SSH algorithms are allowed: a recorded session may reveal the password one day; "
        "`ssh key-exchange group dh-group14-sha256` on the device makes most of them unnecessary from 9.12 on"
    ]


def setup(settings: DeviceSettings, node: NodeSettings) -> str:
    """What to type before the first update."""
    from tscm.kinds.asa.ssh.lines import setup_lines

    return setup_lines(settings, node)


KIND = asa_kind(
    type="asa",
    module="ts-asa",
    settings=AsaSshSettings,
    questions=asa.questions(
        login=(
            PASSWORD,
            ENABLE_PASSWORD,
            SSH_PORT,
            PASSWORD_PROMPT,
            CONTEXT,
            OLD_ALGORITHMS,
        )
    ),
    links=LINKS,
    checked=frozenset(
        {
            "username",
            "password",
            "ssh_key",
            "enable_password",
            "password_prompt",
            "ssh_port",
            "context",
            "host_key",
            "ssh_old_algorithms",
        }
    ),
    doctor="tscm.kinds.asa.ssh.doctor:look",
    way="SSH",
    answers="tscm.kinds.asa.ways:ssh_answers",
    connect=connect,
    notes=notes,
    warnings=warnings,
    setup=setup,
    prepared=("tscm.kinds.asa.lines",),
    pin="host_key",
)
