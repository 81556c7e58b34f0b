"""
The channels of alarms: mail and webhook in threads of their own, syslog by the log of the audit.
"""

from collections.abc import Mapping
from typing import Any

from tscm.alarms.heartbeat import Heartbeat
from tscm.alarms.service import AlarmService, Send
from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.channels.fault import ChannelFault
from tscm.channels.mail import refuse_unset, send_mail
from tscm.channels.message import Message
from tscm.channels.rendering import as_body, as_heartbeat, as_mail
from tscm.channels.webhook import post
from tscm.manager.alarm_watch import AlarmWatch
from tscm.manager.audit_forward import AuditForward
from tscm.manager.node import Node
from tscm.manager.own_syslog import alarm_message
from tscm.manager.report_mail import report_service
from tscm.reports.service import ReportService
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

_THREADS = 3
"""So that a server that hangs delays nothing else."""


def notifying(
    node: Node, settings: NodeSettings, forward: AuditForward
) -> tuple[AlarmService, ReportService]:
    """The alarms of a manager with these parts, and its scheduled reports."""
    notices = Threads(node.clock, _THREADS, "tscm-notices")
    beat = settings.heartbeat

    async def send() -> str:
        at = wall_seconds(node.clock)
        body = as_heartbeat(settings.node_id, at, service.figures().open)
        return await notices.run(
            post,
            settings.webhook,
            node.layout,
            body if beat.method == "POST" else None,
            at,
            url=beat.url,
            method=beat.method,
        )

    heartbeat = Heartbeat(node.clock, beat.interval_seconds, send, lambda: service.alive)
    service = AlarmService(
        node.clock,
        node.quick,
        notices,
        node.layout.alarms,
        settings.node_id,
        settings.alarms,
        AlarmWatch(node).observe,
        alarm_channels(node.clock, notices, node.layout, settings, forward),
        None if beat.url is None else heartbeat,
    )
    return service, report_service(node, notices, settings)


def alarm_channels(
    clock: Any, threads: Threads, layout: Layout, node: NodeSettings, forward: AuditForward
) -> Mapping[str, Send]:
    """Every channel by its name; one that is not set up says so when it is used."""

    async def mail(message: Message) -> str:
        refuse_unset(node.mail, node.mail.to)
        sent = as_mail(message, node.mail.sender or "", node.mail.to)
        return await threads.run(send_mail, node.mail, layout, sent)

    async def webhook(message: Message) -> str:
        at = wall_seconds(clock)
        return await threads.run(post, node.webhook, layout, as_body(message), at)

    async def syslog(message: Message) -> str:
        targets = forward.figures()
        if not targets:
            raise ChannelFault(
                "no target is set that alarms are sent to as syslog", "set [control] audit_forward"
            )
        for one in message.items:
            if not forward.append(alarm_message(one, message.at, forward.origin)):
                raise ChannelFault("the log of the audit cannot be written", "check the disk")
        return f"stored for {', '.join(one.target for one in targets)}"

    return {"mail": mail, "webhook": webhook, "syslog": syslog}
