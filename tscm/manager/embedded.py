"""
The embedded policy service, log service and page, as the manager's settings ask for them.
"""

import os
from typing import TYPE_CHECKING, Any, Union

from tscm.base.threads import Threads
from tscm.faces.peer import user_numbers
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.services.upload_retention import UploadBounds
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

if TYPE_CHECKING:
    from tscm.manager.inner_page import InnerPage

Embedded = Union[PolicyService, LogService, "InnerPage"]


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
    if node.web.inside:
        from tscm.manager.inner_page import InnerPage

        found.append(InnerPage(reactor, layout, node.web))
    return found


def delegates_of(node: NodeSettings) -> frozenset[int]:
    """Numbers of the users that may speak for others: those of the settings, and the page's in this process."""
    own = {os.geteuid()} if node.web.inside else set()
    return user_numbers(node.control.delegates) | own
