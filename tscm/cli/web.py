"""
`tsadmin web`: the first user of the page, the way back in, and the keys of programs.
"""

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.web_keys import keys
from tscm.faces.web.accounts import CODE_SECONDS, AccountRefused, Accounts
from tscm.faces.web.certificate import certificate_of, fingerprint_of_file
from tscm.settings.files import read_node
from tscm.settings.owner import as_web_owner


@click.group()
def command() -> None:
    """Manage who may sign in to the page, and which programs may call it."""


command.add_command(keys)


def _accounts(session: Session) -> Accounts:
    made = Accounts(session.layout.web / "web.db")
    made.open()
    return made


def _tell_code(session: Session, code: str) -> None:
    settings = read_node(session.layout).web
    url = settings.url or f"https://{settings.listen[0] if settings.listen else '127.0.0.1:9443'}"
    say.info(f"One-time code: {code}")
    say.info(f"Enter it at {url}/setup within {CODE_SECONDS / 60:.0f} minutes")
    fingerprint = fingerprint_of_file(certificate_of(session.layout, settings))
    if fingerprint:
        say.info(f"The browser must show a certificate with SHA-256 {fingerprint}")


@command.command()
@click.pass_obj
def setup(session: Session) -> int:
    """Print a one-time code with which the first user of the page is created."""
    with as_web_owner(session.layout):
        accounts = _accounts(session)
        try:
            if accounts.any_user():
                raise AccountRefused(
                    "the page has users already; `tsadmin web reset` with a user name prints a code for a new password"
                )
            code = accounts.new_code(None, _now())
        finally:
            accounts.close()
    _tell_code(session, code)
    return 0


@command.command()
@click.argument("name")
@click.pass_obj
def reset(session: Session, /, name: str) -> int:
    """Print a one-time code with which user NAME of the page sets a new password."""
    with as_web_owner(session.layout):
        accounts = _accounts(session)
        try:
            user = accounts.user(name)
            if user is None:
                names = ", ".join(one.name for one in accounts.users()) or "none"
                raise AccountRefused(f"the page has no user {name!r}; its users: {names}")
            code = accounts.new_code(user.name, _now())
        finally:
            accounts.close()
    _tell_code(session, code)
    return 0


@command.command()
@click.option("--json", "json_output", is_flag=True, help="Print the users as JSON.")
@click.pass_obj
def users(session: Session, /, *, json_output: bool) -> int:
    """List the users of the page."""
    with as_web_owner(session.layout):
        accounts = _accounts(session)
        try:
            found = accounts.users()
        finally:
            accounts.close()
    if json_output:
        say.as_json(
            [
                {
                    "name": one.name,
                    "role": one.role.word,
                    "created_at": one.created_at,
                    "signed_in_at": one.signed_in_at,
                    "sessions": one.sessions,
                }
                for one in found
            ]
        )
    elif found:
        show_table(
            ("user", "role", "last signed in", "sessions"),
            ((one.name, one.role.word, when(one.signed_in_at), one.sessions) for one in found),
        )
    else:
        say.info("The page has no users yet; `tsadmin web setup` prints a one-time code")
    return 0


def _now() -> float:
    import time

    return time.time()
