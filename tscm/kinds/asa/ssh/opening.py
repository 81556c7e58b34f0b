"""
From a device's settings to the driver that types on its command line.
"""

from collections.abc import Mapping
from typing import Any

from tscm.base.secrets import Secret
from tscm.kinds.asa.cli.driver import learnt_start
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.login import Entrance
from tscm.kinds.asa.ssh.openssh import Target
from tscm.kinds.asa.ssh.settings import asa_ssh
from tscm.kinds.asa.ssh.window import Window
from tscm.settings.device import DeviceSettings


def open_driver(settings: DeviceSettings, learnt: Mapping[str, Any]) -> SshDriver:
    """
    A driver that has said nothing yet: the first command connects and logs in.

    *learnt* is what the last one left in `AsaDriver.learnt`.
    """
    own = asa_ssh(settings)
    link = SshLink(
        name=own.name,
        target=Target(
            host=own.device,
            port=own.ssh_port,
            username=own.username,
            pins=own.host_key,
            old_algorithms=own.ssh_old_algorithms,
        ),
        password=own.password,
        entrance=Entrance(enable=own.enable_password or Secret(""), context=own.context or ""),
        password_prompt=own.password_prompt,
        key=own.ssh_key,
    )
    return SshDriver(
        link,
        window=Window.remembered(learnt),
        started_at=learnt_start(learnt),
    )
