"""
The firewalls that pull: by type, what each is called, and what is rendered for it.
"""

from collections.abc import Mapping

from attrs import frozen

from tscm.kinds.lists import render as forms
from tscm.kinds.lists.settings import (
    CheckpointSettings,
    FirepowerSettings,
    FortinetSettings,
    GenericSettings,
    MikrotikSettings,
    PanosSettings,
)
from tscm.settings.pulled import PullSettings


@frozen(kw_only=True)
class Consumer:
    """
    One type.
    """

    title: str
    settings: type[PullSettings]
    render: forms.Render


CONSUMERS: Mapping[str, Consumer] = {
    "checkpoint": Consumer(
        title="Check Point",
        settings=CheckpointSettings,
        render=forms.checkpoint,
    ),
    "firepower": Consumer(title="Firepower", settings=FirepowerSettings, render=forms.firepower),
    "fortinet": Consumer(title="FortiOS", settings=FortinetSettings, render=forms.generic),
    "generic": Consumer(title="the firewall", settings=GenericSettings, render=forms.generic),
    "mikrotik": Consumer(
        title="RouterOS",
        settings=MikrotikSettings,
        render=forms.mikrotik,
    ),
    "panos": Consumer(title="PAN-OS", settings=PanosSettings, render=forms.panos),
}


def consumer_of(settings: PullSettings) -> Consumer:
    """The consumer that a device is."""
    return CONSUMERS[settings.type]
