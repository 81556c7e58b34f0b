"""
The firewalls of the demonstration: one for each way to reach an ASA, and what the manager is told of it.
"""

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from attrs import frozen

from tscm.demo.stage import Firewall
from tscm.model import Json


@frozen
class Way:
    """
    A firewall: its name and address, the device type by which it is reached, and how it logs.
    """

    name: str
    address: str
    type: str
    protocol: str
    header: str
    options: Callable[[Firewall], Json]
    """The settings that only devices of this type have."""
    shown: Callable[[Firewall], str]


def _rest(firewall: Firewall) -> Json:
    return {
        "rest_url": firewall.ready["api_url"],
        "fingerprint": firewall.ready["fingerprint"],
    }


def _http(firewall: Firewall) -> Json:
    return {"http_port": firewall.https_port, "fingerprint": firewall.ready["fingerprint"]}


def _ssh(firewall: Firewall) -> Json:
    return {
        "ssh_port": firewall.ready["ssh_port"],
        "host_key": [firewall.ready["ssh_host_key"]],
        "enable_password": firewall.password,
    }


def _rest_shown(firewall: Firewall) -> str:
    return f"REST API at {firewall.ready['api_url']}"


def _http_shown(firewall: Firewall) -> str:
    return f"HTTP interface at {firewall.address}:{firewall.https_port}"


def _ssh_shown(firewall: Firewall) -> str:
    return f"SSH at {firewall.address}:{firewall.ready['ssh_port']}"


_WAYS = (
    Way("fw-udp", "127.0.0.2", "asarest", "udp", "timestamp", _rest, _rest_shown),
    Way("fw-tcp", "127.0.0.3", "asarest", "tcp", "device-id", _rest, _rest_shown),
    Way("fw-ssh", "127.0.0.4", "asa", "udp", "timestamp", _ssh, _ssh_shown),
    Way("fw-http", "127.0.0.5", "asahttp", "tcp", "device-id", _http, _http_shown),
)


def ways() -> Iterator[Way]:
    """Those that this installation can show: a simulated command line needs Conch, and its driver `ssh`."""
    for one in _WAYS:
        if one.type != "asa" or ssh_lacks() is None:
            yield one


def ssh_lacks() -> str | None:
    """What to install so that one of the firewalls is reached by SSH."""
    if shutil.which("ssh") is None:
        return "`apt-get install openssh-client`"
    if any(find_spec(name) is None for name in ("bcrypt", "twisted.conch")):
        return "`pip install 'tscm[ssh]'`"
    return None
