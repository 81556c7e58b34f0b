"""
Where the lists of a device are served: path and URL.
"""

import re
from urllib.parse import quote

from tscm.base.secrets import MASK
from tscm.settings.node import NodeSettings
from tscm.settings.pulled import PullSettings

UNKNOWN_ADDRESS = "MANAGER-ADDRESS"
UNKNOWN_SECRET = "SECRET"  # noqa: S105 - what stands for one that cannot be shown
_USUAL_PORT = 8443
_SEALED = re.compile(r"sealed:v1:")


def path_of(settings: PullSettings, file: str) -> str:
    """The path of *file*, with the device's secret in it where that is known."""
    secret = settings.pull_secret
    shown = "" if secret is None else secret.reveal()
    if not shown or shown == MASK or _SEALED.match(shown):
        shown = UNKNOWN_SECRET
    return f"/{quote(settings.name)}/{quote(shown)}/{file}"


def url_of(settings: PullSettings, node: NodeSettings, file: str) -> str:
    """The URL of *file*, as the firewall is told it."""
    listen = node.listen
    host = next(iter(listen.lists_names), None) or node.address or UNKNOWN_ADDRESS
    port = next((one.port for one in listen.lists if one.port), _USUAL_PORT)
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == 443 else f"{shown}:{port}"
    return f"https://{place}{path_of(settings, file)}"
