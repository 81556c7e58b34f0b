"""
Whether the uploads of a device would be taken: asked before its settings are stored.
"""

from attrs import evolve

from tscm.devices.reach import AskService, ask_service
from tscm.model import Progress, Report
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.own_service import is_own, own_service

_SECONDS = 5.0
"""For a connection, and twice for the whole answer: the caller waits for it."""
_DECIDE = frozenset(
    {
        "device_id",
        "send_logs",
        "upload_key",
        "log_proxy",
        "log_proxy_user",
        "log_proxy_password",
    }
)


def decides(changed: list[str]) -> bool:
    """Can the receiver of uploads object to a setting that has *changed*?"""
    return not _DECIDE.isdisjoint(changed)


def upload_warnings(
    layout: Layout,
    node: NodeSettings,
    settings: DeviceSettings,
    report: Report,
    *,
    running: bool,
    ask: AskService = ask_service,
) -> list[str]:
    """
    What stands in the way of uploads, as sentences.  Blocking: for a thread.

    The log service in the manager's own process answers while that is *running* only.
    """
    from tscm.upload.receivers import receiver_of

    own = own_service(layout, node)
    if is_own(node) and (own is None or not running):
        return []
    receiver = receiver_of(settings, node.upload, own)
    if receiver is None:
        return []
    way = receiver.way
    report(Progress(phase="check", text=f"{way.name} at {way.host}"))
    quick = evolve(way, timeout_seconds=min(way.timeout_seconds, _SECONDS))
    said = ask(evolve(receiver, way=quick))
    if said.ready:
        return []
    if said.fault is not None:
        keyless = node.upload.kind == "log_service" and own is None and settings.upload_key is None
        key = (
            (
                "; no device key is set, and it may require one: `tsadmin configure "
                f"{settings.name} --upload_key -`"
            )
            if keyless
            else ""
        )
        return [f"No upload would arrive now: {said.fault}; {said.remedy}{key}"]
    return [
        f"The {way.name} at {way.host} rejects the uploads of this device: "
        f"{said.sentence} ({said.status}); {said.remedy}"
    ]
