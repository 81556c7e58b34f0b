"""
From a device's settings to the driver that speaks with its HTTP interface.
"""

from collections.abc import Mapping
from typing import Any

from tscm.kinds.asa.cli.driver import learnt_start
from tscm.kinds.asa.http.driver import HttpDriver
from tscm.kinds.asa.http.link import Bounds, HttpLink
from tscm.kinds.asa.http.post_size import PostSize
from tscm.kinds.asa.http.settings import asa_http
from tscm.kinds.asa.trust import trust_of
from tscm.kinds.kind import NOTHING_LEARNT
from tscm.settings.device import DeviceSettings


def open_driver(
    settings: DeviceSettings,
    learnt: Mapping[str, Any] = NOTHING_LEARNT,
    *,
    bounds: Bounds | None = None,
    accept_certificate: str | None = None,
) -> HttpDriver:
    """
    A driver that has said nothing yet: the first request connects and logs in.

    *learnt* is what the last one left in `AsaDriver.learnt`.  *accept_certificate* is the SHA-256 of a
    certificate that may come instead of the last one where `allow_self_signed` takes any.
    """
    own = asa_http(settings)
    link = HttpLink(
        name=own.name,
        root=own.root,
        username=own.username,
        password=own.password,
        user_agent=own.user_agent,
        trust=trust_of(own, learnt, accept_certificate),
        by_form=learnt.get("form") is True,
        bounds=bounds or Bounds(),
    )
    return HttpDriver(
        link,
        size=PostSize.remembered(learnt),
        plain=learnt.get("plain") is True,
        started_at=learnt_start(learnt),
    )
