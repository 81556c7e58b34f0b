"""
What to type on an ASA so that its REST API agent can be used.
"""

from tscm.kinds.asa import lines
from tscm.kinds.asa.lines import Names, names_of
from tscm.kinds.asa.rest.settings import AsaRestSettings, asa_rest
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings


def setup_lines(settings: DeviceSettings, node: NodeSettings) -> str:
    """Everything between a bare ASA and one that is protected (`tscm.kinds.asa.lines`)."""
    own = asa_rest(settings)
    return lines.setup_lines(own, node, way_in(own, names_of(own, node)))


def way_in(settings: AsaRestSettings, names: Names) -> list[str]:
    """Account and agent, and the port where it is another."""
    host, _, port = settings.api_url.partition("://")[2].partition("/")[0].rpartition(":")
    shown = f" {port}" if host and port.isdigit() and port != "443" else ""
    ipv6 = ":" in names.manager
    client = f"{names.manager}/128" if ipv6 else f"{names.manager} 255.255.255.255"
    return [
        "! 2. Account and agent (privilege 3 is for monitoring, 5 for GET, 15 for writing)",
        "configure terminal",
        "aaa authentication http console LOCAL",
        f"http server enable{shown}",
        f"http {client} management",
        f"username {names.user} password PASSWORD priv 15",
        "rest-api image boot:/FILE",
        "rest-api agent",
    ]
