"""
From a device's settings to the driver that speaks with it.
"""

from collections.abc import Mapping
from typing import Any

from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.rest import driver
from tscm.kinds.asa.rest.link import Bounds, RestLink
from tscm.kinds.asa.rest.settings import asa_rest
from tscm.kinds.asa.trust import trust_of
from tscm.kinds.kind import NOTHING_LEARNT
from tscm.settings.device import DeviceSettings


def open_driver(
    settings: DeviceSettings,
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    *,
    bounds: Bounds | None = None,
    accept_certificate: str | None = None,
) -> AsaDriver:
    """
    A driver that has said nothing yet: the first request connects and logs in.

    *learnt* is what the last one left in `AsaDriver.learnt`.  *accept_certificate* is the SHA-256 of a
    certificate that may come instead of the last one where `allow_self_signed` takes any.
    """
    own = asa_rest(settings)
    link = RestLink(
        name=own.name,
        root=own.api_url,
        prefix=own.prefix,
        username=own.username,
        password=own.password,
        token_auth=own.token_auth and learnt.get("basic") is not True,
        trust=trust_of(own, learnt, accept_certificate),
        groups=_names(learnt.get("groups")),
        bounds=bounds or Bounds(),
    )
    return driver.RestDriver(
        link,
        batch=_count(learnt, "batch", driver.SMALLEST_BATCH, driver.FIRST_BATCH),
        worked=_count(learnt, "worked", 0, 0),
        doubted=_count(learnt, "doubted", 0, 0),
        singles=max(0, _count(learnt, "singles", 0, 0) - 1),
    )


def _count(learnt: Mapping[str, Any], name: str, low: int, default: int) -> int:
    value = learnt.get(name, default)
    return max(low, value) if isinstance(value, int) and not isinstance(value, bool) else default


def _names(kept: object) -> tuple[str, ...]:
    return tuple(one for one in kept if isinstance(one, str)) if isinstance(kept, list) else ()
