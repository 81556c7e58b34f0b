"""
The embedded policy service and log service, as the manager's settings ask for them.
"""

from typing import Any

from tscm.base.threads import Threads
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.services.upload_retention import UploadBounds
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

Embedded = PolicyService | LogService


def embedded_services(
    reactor: Any, threads: Threads, layout: Layout, node: NodeSettings
) -> list[Embedded]:
    """Those that are to listen; none where the settings name no address for them."""
    wanted, folder = node.portal, layout.portal
    found: list[Embedded] = []
    if wanted.dns:
        found.append(PolicyService(reactor, threads, folder, wanted.dns))
    if wanted.logs:
        found.append(
            LogService(
                reactor,
                threads,
                folder,
                wanted.logs,
                certificate=wanted.certificate,
                key=wanted.key,
                bounds=UploadBounds.of(wanted, node.spool),
            )
        )
    return found
