"""
Signing in and out, and the first admin by a one-time code.
"""

from math import ceil
from urllib.parse import parse_qsl, urlencode, urlsplit

from tscm.faces.web.accounts import name_fault
from tscm.faces.web.credentials import checked, made_hash
from tscm.faces.web.desk import Desk
from tscm.faces.web.gate import place_within
from tscm.faces.web.passwords import password_fault
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.throttle import place_of
from tscm.faces.web.views.signing import KeptField, KeptForm, Login, Setup
from tscm.faces.web.visit import Answer, Page, Redirect, Visit
from tscm.plural import many

_KEPT_MOST = 16_384


def login_page(
    desk: Desk,
    visit: Visit,
    *,
    fault: str = "",
    status: int = 200,
    kept: tuple[str, str] | None = None,
    retry_after: int | None = None,
    attempt: str | None = None,
) -> Page:
    """The form of the login."""
    path, content = kept or ("", "")
    way_back = place_within(visit.text("next", "/"))
    issuer = desk.settings.oidc_issuer if desk.provider is not None else None
    view = Login(
        fault=fault,
        name=visit.text("name")[:64] if visit.path == "/login" else "",
        way_back=way_back,
        kept_path=path,
        kept=content,
        provider="" if issuer is None else urlsplit(issuer).netloc,
        provider_link=f"/login/oidc?{urlencode({'next': way_back})}",
    )
    return Page(view=view, title="Sign in", status=status, retry_after=retry_after, attempt=attempt)


@page(path="/login", role=Role.NOBODY)
async def login(desk: Desk, visit: Visit) -> Answer:
    """The form."""
    if not desk.accounts.any_user():
        return Redirect(to="/setup")
    if visit.session is not None:
        return Redirect(to=place_within(visit.text("next", "/")))
    return login_page(desk, visit)


@page(path="/login", role=Role.NOBODY, method="POST")
async def sign_in(desk: Desk, visit: Visit) -> Answer:
    """Check name and password; a new session where they are good."""
    kept = _kept_of(visit)
    name, password = visit.text("name")[:64], visit.secret("password")
    place = place_of(visit.address)
    known = desk.accounts.is_known(name, place)
    # A client that guesses from elsewhere does not slow a user who has signed in from his own place before.
    here, account = f"from {place}", f"for {name.lower()}"
    keys = (here,) if known else (here, account)
    wait = desk.throttle.wait(keys, visit.now)
    if wait > 0:
        desk.accounts.note(
            visit.now, name, visit.address, "login not checked: too fast", good=False
        )
        seconds = ceil(wait)
        return login_page(
            desk,
            visit,
            fault=f"Too many failed logins; wait {many(seconds, 'second', 'seconds')} and try again.",
            status=429,
            kept=kept,
            retry_after=seconds,
        )
    desk.throttle.tried(keys, visit.now)
    if not await checked(desk, desk.accounts.hash_of(name), password, known=known):
        desk.accounts.note(visit.now, name, visit.address, "login", good=False)
        fault = "The user name or the password is wrong."
        return login_page(desk, visit, fault=fault, status=403, kept=kept)
    desk.throttle.good(account)
    desk.throttle.forgive(here, visit.now)
    user = desk.accounts.user(name)
    if user is None:  # removed at this very moment
        return login_page(desk, visit, fault="The user was removed.", status=403)
    if visit.session is not None:
        desk.accounts.end_session(visit.session.number)
    key = desk.accounts.begin_session(user.name, visit.address, visit.agent, place, visit.now)
    desk.accounts.note(visit.now, user.name, visit.address, "login", good=True)
    if kept is not None:
        return _kept_form(kept, key)
    return Redirect(to=place_within(visit.text("next", "/")), cookie=key)


def _kept_of(visit: Visit) -> tuple[str, str] | None:
    path, content = place_within(visit.text("kept_path")), visit.secret("kept")
    return (path, content) if path != "/" and content and len(content) <= _KEPT_MOST else None


def _kept_form(kept: tuple[str, str], key: str) -> Page:
    """The form that was filled in, to be sent once more by the user."""
    path, content = kept
    fields = tuple(
        KeptField(name=name, value=value)
        for name, value in parse_qsl(content, keep_blank_values=True, max_num_fields=100)
        if "password" not in name
    )
    view = KeptForm(path=path, fields=fields)
    return Page(view=view, title="Your form", cookie=key)


@page(path="/logout", role=Role.VIEWER, method="POST")
async def sign_out(desk: Desk, visit: Visit) -> Answer:
    """End this session."""
    if visit.session is not None:
        desk.accounts.end_session(visit.session.number)
        desk.accounts.note(visit.now, visit.user, visit.address, "logout", good=True)
    return Redirect(to="/login", cookie="")


@page(path="/setup", role=Role.NOBODY)
async def setup(desk: Desk, visit: Visit) -> Answer:
    """The form with the one-time code, while there is one to enter."""
    if desk.accounts.any_user() and not desk.accounts.code_is_out(visit.now):
        return Redirect(to="/login")
    return _setup_page(desk, visit)


def _setup_page(desk: Desk, visit: Visit, fault: str = "", status: int = 200) -> Page:
    first = not desk.accounts.any_user()
    view = Setup(
        fault=fault,
        name=visit.text("name")[:64],
        first=first,
    )
    return Page(view=view, title="First user" if first else "New password", status=status)


@page(path="/setup", role=Role.NOBODY, method="POST")
async def set_up(desk: Desk, visit: Visit) -> Answer:
    """With a good code: the first admin, or a new password for the user of the code."""
    here = f"from {place_of(visit.address)}"
    wait = desk.throttle.wait((here,), visit.now)
    if wait > 0:
        seconds = many(ceil(wait), "second", "seconds")
        return _setup_page(desk, visit, f"Too many wrong codes; wait {seconds} and try again.", 429)
    desk.throttle.tried((here,), visit.now)
    good, user = desk.accounts.code_user(visit.text("code")[:100], visit.now)
    if not good or (user is None and desk.accounts.any_user()):
        desk.accounts.note(visit.now, visit.text("name"), visit.address, "setup code", good=False)
        fault = "The code is wrong or has expired; `tsadmin web setup` prints a new one."
        return _setup_page(desk, visit, fault, 403)
    desk.throttle.forgive(here, visit.now)
    name, password = user or visit.text("name"), visit.secret("password")
    wrong = name_fault(name) or password_fault(name, password)
    if wrong is None and password != visit.secret("again"):
        wrong = "the two passwords differ"
    if wrong is not None:
        return _setup_page(desk, visit, f"{wrong[0].upper()}{wrong[1:]}.", 400)
    kept = await made_hash(desk, password)
    if not desk.accounts.code_user(visit.text("code")[:100], visit.now)[0]:
        return _setup_page(desk, visit, "The code was used meanwhile.", 403)
    desk.accounts.use_code()
    if user is None:
        desk.accounts.add_user(name, Role.ADMIN, kept, visit.now)
    else:
        desk.accounts.set_password(name, kept)
    what = "first admin created" if user is None else "password set by a code"
    desk.accounts.note(visit.now, name, visit.address, what, good=True)
    place = place_of(visit.address)
    key = desk.accounts.begin_session(name, visit.address, visit.agent, place, visit.now)
    return Redirect(to="/", cookie=key)
