"""
What twistd can start: the manager, the ASA simulator, the embedded services, the page.
"""

from twisted.application.service import ServiceMaker

manager = ServiceMaker(
    "tscm",
    "tscm.plugins.manager",
    "Syslog collector and policy manager for Cisco ASA firewalls.",
    "tscm",
)

simulator = ServiceMaker(
    "tscm-asa",
    "tscm.plugins.simulator",
    "A simulated Cisco ASA: REST API agent, object-groups and syslog.",
    "tscm-asa",
)

portal = ServiceMaker(
    "tscm-portal",
    "tscm.plugins.services",
    "The embedded policy service (DNS over TCP) and log service (HTTPS).",
    "tscm-portal",
)

web = ServiceMaker(
    "tscm-web",
    "tscm.plugins.web",
    "The page: a web interface over the same operations as tsadmin.",
    "tscm-web",
)
