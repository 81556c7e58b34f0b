"""
A configuration out of text: at the start, and at every reload.
"""

from tscm.simulator.cli import Console
from tscm.simulator.device import Device


def load(device: Device, text: str, now: float, *, out_of_order_fails: bool = False) -> None:
    """
    Put the lines of *text* into the device as a start configuration.

    What they print goes to `load_errors`.  *out_of_order_fails* is the hazard of 9.18.1 and 9.19.1
    (cisco-sa-asaftd-aclconfig-wvk52f3z): a group named above the place where it stands is lost.
    """
    console = Console.of(device)
    device.load_errors.clear()
    device.configuration.loading = not out_of_order_fails
    try:
        for line in text.splitlines():
            if line.startswith(("ASA Version", "Cryptochecksum")):
                continue
            printed = console.run(line, now).strip()
            if printed and len(device.load_errors) < 1000:
                device.load_errors.append(printed)
    finally:
        device.configuration.loading = False
        device.modified = None
