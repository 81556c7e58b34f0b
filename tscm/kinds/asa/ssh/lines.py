"""
What to type on an ASA so that its command line can be used over SSH.
"""

from tscm.kinds.asa import lines
from tscm.kinds.asa.lines import Names, names_of
from tscm.kinds.asa.ssh.keys import public_half
from tscm.kinds.asa.ssh.settings import AsaSshSettings, asa_ssh
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings


def setup_lines(settings: DeviceSettings, node: NodeSettings) -> str:
    """Everything between a bare ASA and one that is protected (`tscm.kinds.asa.lines`)."""
    own = asa_ssh(settings)
    return lines.setup_lines(own, node, way_in(own, names_of(own, node)))


def way_in(settings: AsaSshSettings, names: Names) -> list[str]:
    """Account, host key, and who may connect."""
    ipv6 = ":" in names.manager
    client = f"{names.manager}/128" if ipv6 else f"{names.manager} 255.255.255.255"
    own = [] if settings.context is None else [f"changeto context {settings.context}"]
    return [
        "! 2. Account and SSH (writing needs privilege 15)",
        *own,
        "configure terminal",
        "aaa authentication ssh console LOCAL",
        *_account(settings, names.user),
        "! without this line the enable password is needed too:",
        "!   aaa authorization exec LOCAL auto-enable",
        "! a host key, where `show crypto key mypubkey rsa` shows none:",
        "!   crypto key generate rsa modulus 2048",
        "! from 9.12 on; without it `ssh_old_algorithms` may be needed:",
        "!   ssh key-exchange group dh-group14-sha256",
        f"ssh {client} management",
    ]


def _account(settings: AsaSshSettings, user: str) -> list[str]:
    if settings.ssh_key is None:
        return [f"username {user} password PASSWORD priv 15"]
    known = public_half(settings.ssh_key)
    how = "! KEY: the second word of the public key, which `ssh-keygen -y` prints"
    return [
        f"username {user} nopassword priv 15",
        *([] if known else [how]),
        f"username {user} attributes",
        f" ssh authentication publickey {known or 'KEY'}",
        " exit",
    ]
