"""
The devices in `tsadmin list`.
"""

from tscm.devices.answers import DeviceRow
from tscm.errors import TscmError
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device
from tscm.settings.layout import Layout


def device_row(settings: DeviceSettings) -> DeviceRow:
    """What `tsadmin list` needs to know of a device."""
    return DeviceRow(
        name=settings.name,
        type=settings.type,
        device_id=settings.device_id,
        device=settings.device,
        send_logs=settings.send_logs,
        log_rotate_size=settings.log_rotate_size,
        policy_updates=settings.policy_updates,
        lists=(*settings.block_list.split(), *settings.allow_list.split()),
    )


def device_rows(layout: Layout) -> tuple[DeviceRow, ...]:
    """
    A row for each stored device; one whose file is damaged gives its name and `fault`.

    Needs no sealing key, so that a lost one does not hide the devices.
    """
    rows: list[DeviceRow] = []
    for name in device_names(layout):
        try:
            rows.append(device_row(read_device(layout, name, None)))
        except TscmError as error:
            rows.append(DeviceRow(name=name, fault=str(error)))
    return tuple(rows)
