"""
That another certificate of a device was accepted.
"""

from tscm.kinds.driver import Driver
from tscm.model import Json
from tscm.risks import Consent, Risk, RiskFound


def accepted_certificate(memory: Json, driver: Driver, consent: Consent) -> RiskFound | None:
    """
    The certificate that *consent* has and the device shows, where the last one was another; else None.

    *memory* is what was kept of the device.
    """
    last, now = memory.get("driver", {}).get("certificate"), driver.learnt.get("certificate")
    if last is None or now in {None, last} or now != consent.certificate:
        return None
    sentence = f"it presents another certificate (SHA-256 {now}) than at the last update ({last})"
    return RiskFound(risk=Risk.CERTIFICATE, sentence=sentence, value=now)
