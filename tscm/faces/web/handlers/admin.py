"""
Users and sessions: all of them for admins, one's own for everybody.
"""

from tscm.faces.web.accounts import AccountRefused, name_fault
from tscm.faces.web.credentials import checked, made_hash
from tscm.faces.web.desk import Desk
from tscm.faces.web.passwords import password_fault
from tscm.faces.web.roles import ROLES, Role, role_of
from tscm.faces.web.routes import page
from tscm.faces.web.throttle import place_of
from tscm.faces.web.views.admin import Account, Users
from tscm.faces.web.visit import Answer, Faulty, NotHere, Page, Redirect, Visit

_EVENTS_SHOWN = 100


def _users(desk: Desk, visit: Visit, fault: str = "", status: int = 200) -> Page:
    assert visit.session is not None
    view = Users(
        users=tuple(desk.accounts.users()),
        sessions=tuple(desk.accounts.sessions(None, visit.now)),
        events=tuple(desk.accounts.events(_EVENTS_SHOWN)),
        own=visit.session.number,
        me=visit.user,
        roles=tuple(role.word for role in ROLES),
        fault=fault,
        name=visit.text("name")[:64],
        role=visit.text("role", "viewer")[:20],
    )
    return Page(view=view, title="Users", status=status)


@page(path="/admin/users", role=Role.ADMIN)
async def users(desk: Desk, visit: Visit) -> Answer:
    """All users, sessions, and the latest logins."""
    return _users(desk, visit)


@page(path="/admin/users", role=Role.ADMIN, method="POST")
async def add_user(desk: Desk, visit: Visit) -> Answer:
    """One more user."""
    name, password = visit.text("name"), visit.secret("password")
    fault = name_fault(name) or password_fault(name, password)
    if fault is not None:
        return _users(desk, visit, fault, 400)
    try:
        role = role_of(visit.text("role"))
        desk.accounts.add_user(name, role, await made_hash(desk, password), visit.now)
    except (ValueError, AccountRefused) as error:
        return _users(desk, visit, str(error), 400)
    _note(desk, visit, f"user {name} added as {role.word}")
    return Redirect(to="/admin/users", notice=f"{name} may sign in now, as {role.word}.")


@page(path="/admin/users/<name>/role", role=Role.ADMIN, method="POST")
async def change_role(desk: Desk, visit: Visit) -> Answer:
    """Another role."""
    name = _named(desk, visit)
    try:
        role = role_of(visit.text("role"))
        desk.accounts.set_role(name, role)
    except (ValueError, AccountRefused) as error:
        return _users(desk, visit, str(error), 400)
    _note(desk, visit, f"user {name} is now {role.word}")
    return Redirect(to="/admin/users", notice=f"{name} has the role {role.word} from now on.")


@page(path="/admin/users/<name>/password", role=Role.ADMIN, method="POST")
async def reset_password(desk: Desk, visit: Visit) -> Answer:
    """A new password; ends the user's sessions."""
    name, password = _named(desk, visit), visit.secret("password")
    fault = password_fault(name, password)
    if fault is not None:
        return _users(desk, visit, fault, 400)
    desk.accounts.set_password(name, await made_hash(desk, password))
    _note(desk, visit, f"password of {name} set")
    return Redirect(
        to="/admin/users", notice=f"{name} has a new password; all sessions of {name} have ended."
    )


@page(path="/admin/users/<name>/remove", role=Role.ADMIN, method="POST")
async def remove_user(desk: Desk, visit: Visit) -> Answer:
    """Forget a user."""
    name = _named(desk, visit)
    try:
        desk.accounts.remove_user(name)
    except AccountRefused as error:
        return _users(desk, visit, str(error), 400)
    _note(desk, visit, f"user {name} removed")
    return Redirect(to="/admin/users", notice=f"{name} was removed and is signed out everywhere.")


@page(path="/admin/users/<name>/end", role=Role.ADMIN, method="POST")
async def end_sessions(desk: Desk, visit: Visit) -> Answer:
    """Sign a user out everywhere."""
    name = _named(desk, visit)
    desk.accounts.end_sessions(name)
    _note(desk, visit, f"sessions of {name} ended")
    return Redirect(to="/admin/users", notice=f"All sessions of {name} have ended.")


@page(path="/admin/sessions/<int:number>/end", role=Role.ADMIN, method="POST")
async def end_one_session(desk: Desk, visit: Visit) -> Answer:
    """Sign out one browser of a user."""
    number = int(visit.parts["number"])
    for one in desk.accounts.sessions(None, visit.now):
        if one.number == number:
            desk.accounts.end_session(number)
            _note(desk, visit, f"a session of {one.user} from {one.address} ended")
            notice = f"The session of {one.user} from {one.address} has ended."
            return Redirect(to="/admin/users", notice=notice)
    raise NotHere


@page(path="/account", role=Role.VIEWER)
async def account(desk: Desk, visit: Visit) -> Answer:
    """One's own sessions and password."""
    return _account(desk, visit)


def _account(desk: Desk, visit: Visit, fault: str = "", status: int = 200) -> Page:
    assert visit.session is not None
    view = Account(
        name=visit.user,
        role=visit.role.word,
        sessions=tuple(desk.accounts.sessions(visit.user, visit.now)),
        own=visit.session.number,
        fault=fault,
    )
    return Page(view=view, title="Your account", status=status)


@page(path="/account/password", role=Role.VIEWER, method="POST")
async def change_password(desk: Desk, visit: Visit) -> Answer:
    """One's own password, with the old one."""
    place, password = place_of(visit.address), visit.secret("password")
    key = f"password of {visit.user.lower()}"
    if desk.throttle.wait((key,), visit.now) > 0:
        return _account(desk, visit, "too many wrong passwords; wait a minute", 429)
    fault = password_fault(visit.user, password)
    if fault is None and password != visit.secret("again"):
        fault = "the two new passwords differ"
    if fault is not None:
        return _account(desk, visit, fault, 400)
    desk.throttle.tried((key,), visit.now)
    if not await checked(desk, desk.accounts.hash_of(visit.user), visit.secret("present")):
        return _account(desk, visit, "the present password is wrong", 403)
    desk.throttle.good(key)
    desk.accounts.set_password(visit.user, await made_hash(desk, password))
    _note(desk, visit, "own password changed")
    session = desk.accounts.begin_session(visit.user, visit.address, visit.agent, place, visit.now)
    return Redirect(to="/account", cookie=session)


@page(path="/account/end/<int:number>", role=Role.VIEWER, method="POST")
async def end_session(desk: Desk, visit: Visit) -> Answer:
    """End one of one's own sessions."""
    number = int(visit.parts["number"])
    own = {one.number for one in desk.accounts.sessions(visit.user, visit.now)}
    if number not in own:
        raise NotHere
    desk.accounts.end_session(number)
    _note(desk, visit, "session ended")
    return Redirect(to="/account", notice="That session has ended.")


def _named(desk: Desk, visit: Visit) -> str:
    found = desk.accounts.user(visit.parts["name"])
    if found is None:
        raise Faulty(f"there is no user {visit.parts['name'][:64]}")
    return found.name


def _note(desk: Desk, visit: Visit, what: str) -> None:
    desk.accounts.note(visit.now, visit.user, visit.address, what, good=True)
