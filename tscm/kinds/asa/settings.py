"""
What is set for an ASA, whichever way leads to it: the table `[asa]`.
"""

from typing import ClassVar

from attrs import frozen

from tscm.base.secrets import Secret
from tscm.settings import values
from tscm.settings.device import DEFAULT_MAX_POLICY_SIZE, DeviceSettings, secret_setting
from tscm.settings.schema import setting


@frozen(kw_only=True)
class AsaSettings(DeviceSettings):
    """
    Object-groups, and the account that changes them.
    """

    TABLE: ClassVar[str] = "asa"

    username: str = setting(values.account, doc="Device username")
    password: Secret = secret_setting(doc="Device password")
    prefix: str = setting(values.group_prefix, "ThreatSTOP", doc="Prefix of the object-groups")
    max_policy_size: int = setting(
        values.whole(1, 10_000_000), DEFAULT_MAX_POLICY_SIZE, doc="Max Policy Size, entries"
    )
    object_group_size: int = setting(
        values.whole(1, 1_000_000), 10000, doc="Object-Group Size, CIDRs in a child"
    )
    access_lists: tuple[str, ...] = setting(
        values.many(values.access_list),
        (),
        doc="Access-lists whose lines can be hits in reports, none for all",
    )

    @property
    def own_names(self) -> str:
        """The prefix of the groups."""
        return self.prefix

    @property
    def group_size(self) -> int:
        """The Object-Group Size."""
        return self.object_group_size

    @property
    def firewall(self) -> tuple[object, ...]:
        """The address, and no context."""
        return self.device, None

    @property
    def account(self) -> tuple[object, ...]:
        """User and password."""
        return self.username, self.password


def asa(settings: DeviceSettings) -> AsaSettings:
    """*settings* of a device that is an ASA."""
    assert isinstance(settings, AsaSettings)
    return settings
