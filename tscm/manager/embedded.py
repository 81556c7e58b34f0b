"""
The embedded policy service, log service and page, as the manager's settings ask for them.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Union

from tscm.base.threads import Threads
from tscm.faces.peer import user_numbers
from tscm.pairing.service import PairingService
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.services.upload_retention import UploadBounds
from tscm.services.zone_files import ZoneFiles
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.store.audit_entry import AuditEntry

if TYPE_CHECKING:
    from tscm.manager.inner_page import InnerPage

Embedded = Union[PolicyService, LogService, PairingService, "InnerPage"]


def embedded_services(
    reactor: Any,
    threads: Threads,
    layout: Layout,
    node: NodeSettings,
    audit: Callable[[AuditEntry], None],
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
    if wanted.pairing:
        zones = next((one.zones for one in found if isinstance(one, PolicyService)), None)
        found.append(PairingService(reactor, threads, folder, wanted, partial(_mark, zones), audit))
    if node.web.inside:
        from tscm.manager.inner_page import InnerPage

        found.append(InnerPage(reactor, layout, node.web))
    return found


def _mark(zones: ZoneFiles | None, name: str) -> str | None:
    """Another word where a list that is served here has other content; one for all that is not; None: not read yet."""
    if zones is not None and not zones.looked:
        return None
    zone = None if zones is None else zones.zone(name)
    return "-" if zone is None else str(zone.serial)


def delegates_of(node: NodeSettings) -> frozenset[int]:
    """Numbers of the users that may speak for others: those of the settings, and the page's in this process."""
    own = {os.geteuid()} if node.web.inside else set()
    return user_numbers(node.control.delegates) | own
