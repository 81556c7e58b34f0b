"""
What a simulated firewall tells of itself on the control port and in the file for who waits.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tscm.simulator.firewall import Firewall


def ready(asa: "Firewall") -> dict[str, Any]:
    """Bound addresses, certificate and names."""
    return {
        "api_url": asa.api_url,
        "https": [asa.options.https[0], asa.port],
        "standby_url": asa.standby_url,
        "control_url": asa.control_url,
        "ssh_port": asa.ssh_port,
        "ssh_host_key": asa.ssh_host_key,
        "certificate": str(asa.certificate_path),
        "fingerprint": asa.fingerprint,
        "username": asa.options.username,
        "hostname": asa.options.hostname,
        "profile": asa.device.profile.name,
        "source_address": asa.options.source_address,
        "pid": os.getpid(),
    }


def state(asa: "Firewall", now: float) -> dict[str, Any]:
    """Agent, pair, collectors, what was said last."""
    device = asa.device
    return {
        "hostname": device.hostname,
        "profile": device.profile.name,
        "asa_version": device.asa_version,
        "agent": device.health.state,
        "agent_failures": device.health.failures,
        "role": device.role,
        "unit": device.unit,
        "in_step": None if asa.pair is None else asa.pair.in_step(now),
        "faults": asa.agent.faults.as_json(),
        "budget_bytes": device.profile.budget_bytes,
        "tokens": len(device.tokens),
        "running_config_bytes": len(device.running_config()),
        "unsaved": device.unsaved,
        "load_errors": device.load_errors,
        "admits_connections": asa.passage.admits,
        "collectors": [
            {
                "target": f"{outlet.target.protocol}://{outlet.target.host}:{outlet.target.port}",
                "up": getattr(outlet, "up", True),
                "sent": outlet.sent,
                "waiting": outlet.waiting,
                "dropped": outlet.dropped,
            }
            for outlet in asa.passage.source.outlets
        ],
        "not_followed": [str(host) for host in asa.passage.not_followed],
        "buffer": list(asa.passage.buffer)[-100:],
    }
