"""
The root of a manager as `tsadmin add` leaves it, without a device yet.
"""

from pathlib import Path

from tscm.base.secrets import SealingKey, Secret, load_key
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.settings.files import settings_as_toml
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

FIRST = AsaRestSettings(
    name="fw",
    device_id="tdid_00000001",
    device="192.0.2.1",
    block_list="block.example",
    allow_list="allow.example",
    username="api",
    password=Secret("not asked for"),
    policy_updates=False,
    send_logs=False,
)
"""A device whose lines are collected and nothing else."""


def make_node(root: Path, node: NodeSettings) -> tuple[Layout, SealingKey]:
    """The manager's settings, and the key that seals those of its devices."""
    layout = Layout(root)
    key = load_key(layout.key, create=True)
    layout.settings_file.parent.mkdir(parents=True, exist_ok=True)
    layout.settings_file.write_text(settings_as_toml(node), "utf-8")
    return layout, key
