"""
Signing in with the OpenID Connect provider: sent there by a link, and back with a code.
"""

from hmac import compare_digest
from math import ceil

from tscm.faces.web.accounts import AccountRefused
from tscm.faces.web.desk import Desk
from tscm.faces.web.gate import place_within
from tscm.faces.web.handlers.signing import login_page
from tscm.faces.web.oidc.attempt import Attempt
from tscm.faces.web.oidc.fault import OidcFault
from tscm.faces.web.oidc.token import Identity
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.throttle import place_of
from tscm.faces.web.visit import Answer, NotHere, Redirect, Visit
from tscm.plural import many

_MOST_CODE = 2000
_LOCAL = "Users with a password here can still sign in."


@page(path="/login/oidc", role=Role.NOBODY)
async def begin(desk: Desk, visit: Visit) -> Answer:
    """Send the browser to the provider.  A link and not a form: form-action forbids forms to lead elsewhere."""
    if desk.provider is None:
        raise NotHere
    if not desk.accounts.any_user():
        return Redirect(to="/setup")
    # A long way back does not fit into a cookie.
    way_back = place_within(visit.text("next", "/"))
    attempt = Attempt(way_back=way_back if len(way_back) <= 1000 else "/")
    try:
        there = await desk.provider.address_for(attempt)
    except OidcFault as error:
        return login_page(desk, visit, fault=f"{_sentence(error)}  {_LOCAL}", status=503)
    return Redirect(to=there, attempt=desk.provider.seal.closed(attempt, visit.now))


@page(path="/login/oidc/done", role=Role.NOBODY)
async def done(desk: Desk, visit: Visit) -> Answer:
    """The provider's answer, which belongs to the login that this browser began."""
    provider = desk.provider
    if provider is None:
        raise NotHere
    if not desk.accounts.any_user():
        return Redirect(to="/setup")
    attempt = provider.seal.opened(visit.attempt or "", visit.now)
    if attempt is None or not compare_digest(visit.text("state").encode(), attempt.state.encode()):
        fault = "This answer of the provider belongs to no login of this browser; sign in again."
        return login_page(desk, visit, fault=fault, status=400)
    place = place_of(visit.address)
    # A key of its own: a provider that fails does not slow users with a password here.
    here = f"provider from {place}"
    wait = desk.throttle.wait((here,), visit.now)
    if wait > 0:
        seconds = ceil(wait)
        fault = (
            f"Too many failed logins; wait {many(seconds, 'second', 'seconds')} and sign in again."
        )
        return login_page(desk, visit, fault=fault, status=429, retry_after=seconds, attempt="")
    desk.throttle.tried((here,), visit.now)
    code = visit.text("code")
    try:
        if not 0 < len(code) <= _MOST_CODE:
            raise OidcFault("the provider did not sign you in", is_denied=True)
        if (
            visit.text("iss", provider.terms.issuer).rstrip("/") != provider.terms.issuer
        ):  # RFC 9207
            raise OidcFault("the answer is of another issuer")
        found = await provider.identity(attempt, code)
        if found.role is Role.NOBODY:
            _end_sessions(desk, found)
            raise OidcFault(
                f"no value of the claim {provider.terms.roles_claim} gives you a role here; an admin "
                "gives values their roles under [web] in the settings",
                is_denied=True,
            )
        name = desk.accounts.provided(
            *(found.issuer, found.subject, found.name, found.role, desk.now())
        )
    except (OidcFault, AccountRefused) as error:
        what = f"login with the provider: {error}"
        desk.accounts.note(desk.now(), "", visit.address, what, good=False)
        denied = isinstance(error, AccountRefused) or error.is_denied
        return login_page(
            desk, visit, fault=_sentence(error), status=403 if denied else 502, attempt=""
        )
    desk.throttle.forgive(here, visit.now)
    if visit.session is not None:
        desk.accounts.end_session(visit.session.number)
    now = desk.now()
    key = desk.accounts.begin_session(name, visit.address, visit.agent, place, now)
    desk.accounts.note(now, name, visit.address, "login with the provider", good=True)
    return Redirect(to=attempt.way_back, cookie=key, attempt="")


def _end_sessions(desk: Desk, identity: Identity) -> None:
    """The provider has taken the role away."""
    name = desk.accounts.user_of_subject(identity.issuer, identity.subject)
    if name is not None:
        desk.accounts.end_sessions(name)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
