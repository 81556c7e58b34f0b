"""
`tsadmin web keys`: who may call the API of the page.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.times import End
from tscm.faces.web.accounts import AccountRefused, Accounts
from tscm.faces.web.keys import ApiKey, Keys, key_fault, network_of
from tscm.faces.web.nouns import NOUNS
from tscm.faces.web.roles import ROLES, role_of
from tscm.model import Json
from tscm.settings.owner import as_web_owner


@click.group()
def keys() -> None:
    """Manage the keys with which programs call the API of the page."""


@contextmanager
def _opened(session: Session) -> Iterator[tuple[Accounts, Keys]]:
    with as_web_owner(session.layout):
        accounts = Accounts(session.layout.web / "web.db")
        accounts.open()
        try:
            yield accounts, Keys(accounts.database)
        finally:
            accounts.close()


@keys.command()
@click.argument("name")
@click.option(
    "--role", required=True, type=click.Choice([one.word for one in ROLES]), help="What it may do."
)
@click.option(
    "--expires", required=True, type=End(), help="When it ends: 90d, 2027-01-31; at most 366 days."
)
@click.option(
    "--from",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Network or address from which it is accepted; may be repeated.  Default: any.",
)
@click.option(
    "--only",
    "nouns",
    multiple=True,
    metavar="GROUP",
    help=f"Group of calls that it may make; may be repeated.  Default: all.  Groups: {', '.join(sorted(NOUNS))}.",
)
@click.pass_obj
def add(
    session: Session,
    /,
    *,
    name: str,
    role: str,
    expires: float,
    networks: tuple[str, ...],
    nouns: tuple[str, ...],
) -> int:
    """Create the key NAME and print it, once."""
    now = time.time()
    try:
        allowed = tuple(dict.fromkeys(network_of(one) for one in networks))
    except ValueError as error:
        raise AccountRefused(f"--from: {error}") from None
    key = ApiKey(
        name=name,
        role=role_of(role),
        until=expires,
        nouns=tuple(dict.fromkeys(nouns)),
        networks=allowed,
        created_at=now,
        created_by="tsadmin",
    )
    fault = key_fault(key, NOUNS, now)
    if fault is not None:
        raise AccountRefused(fault)
    with _opened(session) as (accounts, found):
        secret = found.add(key)
        accounts.note(now, "tsadmin", "", f"key {name} added as {role}", good=True)
    say.plain(secret)
    say.info("The key is shown only now; store it where only its program can read it", aside=True)
    return 0


@keys.command(name="list")
@click.option("--json", "json_output", is_flag=True, help="Print the keys as JSON.")
@click.pass_obj
def list_keys(session: Session, /, *, json_output: bool) -> int:
    """List the keys."""
    with _opened(session) as (_, found):
        every = found.all()
    if json_output:
        say.as_json([_as_json(one) for one in every])
    elif every:
        show_table(
            ("key", "begins with", "role", "groups", "from", "expires", "last used"),
            (
                (
                    one.name,
                    one.shown,
                    one.role.word,
                    ", ".join(one.nouns) or "all",
                    ", ".join(one.networks) or "anywhere",
                    when(one.until),
                    when(one.used_at),
                )
                for one in every
            ),
        )
    else:
        say.info("No keys exist; `tsadmin web keys add` creates one")
    return 0


def _as_json(key: ApiKey) -> Json:
    return {
        "name": key.name,
        "begins_with": key.shown,
        "role": key.role.word,
        "groups": list(key.nouns),
        "networks": list(key.networks),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.until,
        "used_at": key.used_at,
        "used_from": key.used_from,
    }


@keys.command()
@click.argument("name")
@click.pass_obj
def remove(session: Session, /, name: str) -> int:
    """Remove the key NAME; its next call is rejected."""
    with _opened(session) as (accounts, found):
        found.remove(name)
        accounts.note(time.time(), "tsadmin", "", f"key {name} removed", good=True)
    say.info(f"The key {name} is removed")
    return 0
