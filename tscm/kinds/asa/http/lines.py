"""
What to type on an ASA so that its HTTP interface can be used.
"""

from tscm.kinds.asa import lines
from tscm.kinds.asa.http.settings import USER_AGENT, AsaHttpSettings, asa_http
from tscm.kinds.asa.lines import Names, names_of
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings


def setup_lines(settings: DeviceSettings, node: NodeSettings) -> str:
    """Everything between a bare ASA and one that is protected (`tscm.kinds.asa.lines`)."""
    own = asa_http(settings)
    return lines.setup_lines(own, node, way_in(own, names_of(own, node)))


def way_in(settings: AsaHttpSettings, names: Names) -> list[str]:
    """Account, web server, who may connect, and as whom."""
    ipv6 = ":" in names.manager
    client = f"{names.manager}/128" if ipv6 else f"{names.manager} 255.255.255.255"
    port = "" if settings.http_port == 443 else f" {settings.http_port}"
    agent = [f"http server basic-auth-client {settings.user_agent}"]
    if settings.user_agent == USER_AGENT:
        agent = [
            "! where the device answers 400, because its list of clients was changed:",
            f"!   {agent[0]}",
        ]
    return [
        "! 2. Account and web server (writing needs privilege 15)",
        "configure terminal",
        "aaa authentication http console LOCAL",
        f"username {names.user} password PASSWORD priv 15",
        f"http server enable{port}",
        f"http {client} management",
        *agent,
    ]
