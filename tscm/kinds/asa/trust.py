"""
Which certificate is believed, by the settings and what was learnt of a device.
"""

from collections.abc import Mapping
from typing import Any

from tscm.kinds.asa.settings import AsaHttpsSettings
from tscm.kinds.asa.tls import Trust


def trust_of(settings: AsaHttpsSettings, learnt: Mapping[str, Any], accepted: str | None) -> Trust:
    """
    *learnt* is what the last driver left in `AsaDriver.learnt`, *accepted* the SHA-256 of a certificate that may come
    instead of the last one where any is taken.
    """
    seen = learnt.get("certificate")
    return Trust(
        ca_file=settings.ca_file,
        fingerprint=settings.fingerprint,
        allow_self_signed=settings.allow_self_signed,
        seen=seen if isinstance(seen, str) else None,
        accepted=accepted,
    )
