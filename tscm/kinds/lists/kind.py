"""
The kinds of firewall that pull a list: one family, a type for each consumer.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tscm import __version__
from tscm.kinds import questions as shared
from tscm.kinds.driver import Driver
from tscm.kinds.kind import NOTHING_LEARNT, Kind
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.question import Question
from tscm.model import Identity
from tscm.settings.device import DeviceSettings
from tscm.settings.pulled import PullSettings, pulling

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings

LINKS = ("list listener", "list certificate")


def _questions(settings: type[PullSettings]) -> tuple[Question, ...]:
    return (
        shared.DEVICE_ID,
        shared.DEVICE,
        shared.BLOCK_LIST,
        shared.ALLOW_LIST,
        Question(
            of=settings,
            name="max_policy_size",
            words="Max Policy Size : (number of entries that the firewall takes)",
        ),
        Question(
            of=settings,
            name="pull_minutes",
            words="Pull interval : (minutes between two pulls of the firewall)",
        ),
        shared.SEND_LOGS,
        Question(
            of=settings,
            name="pull_user",
            words="User for pulling : (Basic authentication, none for none)",
            advanced=True,
        ),
        Question(
            of=settings,
            name="pull_password",
            words="Password for pulling :",
            hidden=True,
            advanced=True,
            only_with="pull_user",
        ),
        Question(
            of=settings,
            name="pull_sources",
            words="Networks that may pull : (space-separated, none for all)",
            advanced=True,
        ),
        Question(
            of=settings,
            name="object_prefix",
            words="Prefix of the list names on the firewall :",
            advanced=True,
        ),
        shared.DNS_PORT,
        shared.SYSLOG_SOURCES,
        shared.LOG_ROTATE_SIZE,
        shared.POLICY_UPDATES,
        *shared.FORWARD,
        *shared.PROXY,
        shared.HA_MEMBERS,
    )


def connect(
    settings: DeviceSettings,
    node: "NodeSettings",
    _: Mapping[str, Any] = NOTHING_LEARNT,
    /,
    *,
    accept_certificate: str | None = None,
) -> Driver:
    """Asks the manager's own listener, as the firewall would."""
    from tscm.kinds.lists.probe import OwnListener

    del settings, accept_certificate
    return OwnListener(node)


def notes(settings: DeviceSettings, _: Identity) -> Sequence[str]:
    """That no device was asked."""
    return [
        f"{settings.device} is not contacted: it pulls its lists every "
        f"{pulling(settings).pull_minutes} minutes"
    ]


def warnings(settings: DeviceSettings) -> Sequence[str]:
    """What is half set."""
    own = pulling(settings)
    if (own.pull_user is None) == (own.pull_password is None):
        return []
    return [
        "pull_user and pull_password take effect only together: lists can be pulled without a user"
    ]


def setup(settings: DeviceSettings, node: "NodeSettings") -> str:
    """What to enter on the firewall."""
    from tscm.kinds.lists.lines import setup_lines

    return setup_lines(settings, node)


def way_back(settings: DeviceSettings, node: "NodeSettings", groups: Sequence[str]) -> str:
    """What to enter to take everything away."""
    from tscm.kinds.lists.lines import removal_lines

    return removal_lines(settings, node, groups)


def _kind(name: str) -> Kind:
    settings = CONSUMERS[name].settings
    return Kind(
        type=name,
        module="ts-lists",
        version=__version__,
        settings=settings,
        questions=_questions(settings),
        links=LINKS,
        checked=frozenset(),
        enforcer="tscm.kinds.lists.enforcer:ListEnforcer",
        doctor="tscm.kinds.lists.doctor:look",
        purge="tscm.kinds.lists.purge:purge_lists",
        connect=connect,
        check=lambda _: Identity(),
        prepared=("tscm.kinds.lists.lines", "tscm.kinds.lists.probe"),
        notes=notes,
        warnings=warnings,
        setup=setup,
        way_back=way_back,
    )


CHECKPOINT = _kind("checkpoint")
FIREPOWER = _kind("firepower")
FORTINET = _kind("fortinet")
GENERIC = _kind("generic")
MIKROTIK = _kind("mikrotik")
PANOS = _kind("panos")
