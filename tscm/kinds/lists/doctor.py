"""
What `doctor` examines of a firewall that pulls: our listener as it meets it, and the certificate that it has to trust.

What it has pulled is known to the manager alone (`tscm.doctor.judge_pulls`).
"""

from collections.abc import Callable

from attrs import frozen

from tscm.doctor.finding import Finding, failed, not_looked_at, ok, warning
from tscm.doctor.firewall import Collector, FirewallLook, Heard, Opener
from tscm.kinds.lists.kind import LINKS
from tscm.kinds.lists.probe import OwnListener, Served, date_of
from tscm.model import Report
from tscm.settings.device import DeviceSettings

SOON_SECONDS = 14 * 86400.0
_LISTENER, _CERTIFICATE = LINKS
_NOT_FOUND = 404


@frozen(kw_only=True)
class ListLook(FirewallLook):
    """What our listener answered; *resting* says why it was not asked."""

    now: float
    resting: str | None = None
    served: Served | None = None

    def judge(self, collector: Collector) -> list[Finding]:
        """Listener and certificate.  Pure."""
        if self.resting is not None:
            return not_looked_at(LINKS, self.resting)
        if self.served is None:
            found = failed(
                _LISTENER,
                "no firewall can pull a list: the manager has no listener for lists",
                'set lists under [listen] in tscm.toml, such as ["0.0.0.0:8443"]',
            )
            return [found, *not_looked_at([_CERTIFICATE], "there is no listener")]
        return [
            judge_listener(self.served),
            judge_certificate(self.served, collector.addresses, self.now),
        ]

    def judge_effect(self, heard: Heard) -> list[Finding]:
        """Whether what the lists block comes back as an event.  Pure."""
        if not heard.counted:
            return [failed("events", f"events are not counted: {heard.fault}", "see the log")]
        if heard.hits:
            return [ok("events", f"hits of the lists in the last day: {heard.hits:,}")]
        return [
            warning(
                "events",
                "no hit of the lists in the last day",
                "log the rules that use the lists, and send that syslog to this manager",
            )
        ]


def judge_listener(served: Served) -> Finding:
    """What the listener answers to a request for no list."""
    if served.status is None:
        return failed(
            _LISTENER,
            f"{served.where} does not answer: {served.fault}",
            "check that the manager is running, and check lists under [listen] in tscm.toml",
        )
    if served.status == _NOT_FOUND:
        return ok(_LISTENER, f"{served.where} answers over TLS")
    return failed(
        _LISTENER,
        f"{served.where} answers {served.status}, which the listener for lists does not",
        "check that no other program uses its port",
    )


def judge_certificate(served: Served, addresses: frozenset[str], now: float) -> Finding:
    """Whether the certificate can be good for a firewall that checks it."""
    if served.expires_at is None:
        (found,) = not_looked_at([_CERTIFICATE], "the listener does not respond")
        return found
    until = date_of(served.expires_at)
    remedy = "replace lists_certificate under [listen], or leave it out to have one generated"
    if served.expires_at <= now:
        return failed(_CERTIFICATE, f"it expired on {until}", remedy)
    if served.expires_at - now < SOON_SECONDS:
        return warning(_CERTIFICATE, f"it expires on {until}", remedy)
    reached = {one for one in addresses if not one.startswith(("127.", "::1"))}
    if (
        reached
        and not reached & set(served.names)
        and all(_is_address(one) for one in served.names)
    ):
        return warning(
            _CERTIFICATE,
            f"it names none of the addresses of this manager ({', '.join(sorted(reached))})",
            "set lists_names under [listen] to the name or address in the URL",
        )
    return ok(_CERTIFICATE, f"good for {', '.join(served.names[:5]) or 'no name'} until {until}")


def _is_address(text: str) -> bool:
    return text == "localhost" or text.replace(".", "").isdigit() or ":" in text


def look(
    settings: DeviceSettings,
    opener: Opener,
    now: Callable[[], float],
    report: Report,
    /,
    *,
    resting: str | None = None,
) -> ListLook:
    """One request to our own listener.  Blocks."""
    del settings, report
    if resting is not None:
        return ListLook(now=now(), resting=resting)
    driver = opener()
    served = driver.look() if isinstance(driver, OwnListener) else None
    return ListLook(now=now(), served=served)
