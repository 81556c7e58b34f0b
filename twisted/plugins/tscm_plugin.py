"""
What twistd can start: the manager, the ASA simulator, the embedded services.
"""

from twisted.application.service import ServiceMaker

manager = ServiceMaker(
    "tscm",
    "tscm.tap",
    "Syslog collector and policy manager for Cisco ASA firewalls.",
    "tscm",
)

simulator = ServiceMaker(
    "tscm-asa",
    "tscm.tap_asa",
    "A simulated Cisco ASA: REST API agent, object-groups and syslog.",
    "tscm-asa",
)

portal = ServiceMaker(
    "tscm-portal",
    "tscm.tap_portal",
    "The embedded policy service (DNS over TCP) and log service (HTTPS).",
    "tscm-portal",
)
