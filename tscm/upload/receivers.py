"""
The receiver that a device's uploads go to, by its settings and the node's.
"""

from tscm.base.secrets import Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.node import UploadSettings
from tscm.settings.own_service import OwnService
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.s3 import S3Receiver
from tscm.upload.transport import Way

AnyReceiver = LogServiceReceiver | S3Receiver
"""One of those that there are."""


def receiver_of(
    device: DeviceSettings, upload: UploadSettings, own: OwnService | None = None
) -> AnyReceiver | None:
    """
    Log service or store; None where the device sends no logs or none is set.

    *own* is the log service in the manager's own process, if uploads go there: it needs no device key, and its
    certificate is known.
    """
    if not device.send_logs or upload.url is None:
        return None
    way = Way(
        url=upload.url,
        device=device.name,
        name="store" if upload.kind == "s3" else "log service",
        ca_file=upload.ca_file or (own.ca_file if own else None),
        proxy=device.log_proxy,
        proxy_user=device.log_proxy_user,
        proxy_password=device.log_proxy_password,
        timeout_seconds=upload.timeout_seconds,
    )
    if upload.kind == "s3":
        return S3Receiver(
            way=way,
            device_id=device.device_id,
            bucket=upload.bucket or "",
            prefix=upload.prefix,
            region=upload.region,
            credentials_file=upload.credentials_file,
        )
    as_manager = own is not None and device.upload_key is None
    key = device.upload_key or (own.key if own else Secret(""))
    return LogServiceReceiver(way=way, device_id=device.device_id, device_key=key, own=as_manager)
