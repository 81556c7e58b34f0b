"""
`tsadmin cluster`: the stream of a site.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import attrs
import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cluster.answers import Held
from tscm.cluster.connection import Connection
from tscm.cluster.setup import (
    ClusterFault,
    StreamState,
    authorization,
    differences,
    read_stream,
    stream_settings,
)
from tscm.cluster.site import inbox_of
from tscm.errors import Fault, SettingsFaulty
from tscm.plural import many
from tscm.settings.cluster import ClusterSettings
from tscm.settings.files import read_node
from tscm.settings.layout import Layout

T = TypeVar("T")
_GB = 1 << 30


@click.group()
def command() -> None:
    """
    The stream of NATS JetStream to which the managers of a site publish their lines.
    """


@command.command()
@click.option("--user", help="User that may create streams.  [the user of [cluster]]")
@click.option(
    "--secret_file", type=click.Path(), help="File of mode 0600 with that user's password."
)
@click.pass_obj
def init(session: Session, /, user: str | None, secret_file: str | None) -> int:
    """
    Create the stream, or bring it to the settings; print the users that the servers need.
    """
    cluster, node = _settings(session)
    asking = _as_user(cluster, user, secret_file)
    done = _with_connection(session.layout, asking, node, lambda it: _create(it, cluster))
    say.info(f"{cluster}: {done}")
    say.plain("Users for the configuration of its servers, if they have none yet:")
    own, _ = _settings(session)
    say.plain(authorization(own, node, inbox_of(own, node)))
    return 0


@command.command()
@click.option("--json", "json_output", is_flag=True, help="Print the state as JSON.")
@click.option("--user", help="User that may see the stream.  [the user of [cluster]]")
@click.option(
    "--secret_file", type=click.Path(), help="File of mode 0600 with that user's password."
)
@click.pass_obj
def show(
    session: Session, /, user: str | None, secret_file: str | None, *, json_output: bool
) -> int:
    """
    Show the stream: its servers, what it holds, and what is wrong with it.
    """
    cluster, node = _settings(session)
    asking = _as_user(cluster, user, secret_file)
    state = _with_connection(session.layout, asking, node, lambda it: _state(it, cluster))
    wrong = differences(cluster, state.configuration)
    if json_output:
        say.as_json({**attrs.asdict(state), "wrong": wrong})
    else:
        say.plain(
            f"Stream at {cluster.place}: leader {state.leader or 'none'}, "
            f"{many(state.replicas, 'server', 'servers')}"
        )
        say.plain(
            f"{many(state.messages, 'block', 'blocks')} of {many(state.logs, 'log', 'logs')}, "
            f"{state.size / _GB:,.2f} of {state.bound / _GB:,.2f} GB"
        )
    if state.behind:
        say.warn(f"these servers are away or behind: {', '.join(state.behind)}")
    if wrong:
        say.error(f"not as the settings say: {', '.join(wrong)}; run `tsadmin cluster init`")
    return 1 if wrong or state.behind else 0


def _as_user(
    cluster: ClusterSettings, user: str | None, secret_file: str | None
) -> ClusterSettings:
    """*cluster* as the options ask it: a password alone is that of the user of the settings."""
    if user is None and secret_file is None:
        return cluster
    return attrs.evolve(cluster, user=user or cluster.user, secret_file=secret_file)


def _settings(session: Session) -> tuple[ClusterSettings, str]:
    layout = session.layout
    node = read_node(layout)
    if not node.cluster.servers:
        alone = Fault(
            where="cluster.servers",
            wrong="is empty, so this manager is by itself",
            allowed="servers of NATS JetStream, host:port",
        )
        raise SettingsFaulty(str(layout.settings_file), [alone])
    return node.cluster, node.node_id


async def _create(connection: Connection, cluster: ClusterSettings) -> str:
    present = read_stream(_payload(await connection.api("INFO"), cluster), str(cluster))
    wanted = json.dumps(stream_settings(cluster)).encode()
    if present is None:
        read_stream(_payload(await connection.api("CREATE", wanted), cluster), str(cluster))
        return "the stream was created"
    wrong = differences(cluster, present.configuration)
    if not wrong:
        return "the stream is there, as the settings say"
    read_stream(_payload(await connection.api("UPDATE", wanted), cluster), str(cluster))
    return f"the stream was changed: {', '.join(wrong)}"


async def _state(connection: Connection, cluster: ClusterSettings) -> StreamState:
    state = read_stream(_payload(await connection.api("INFO"), cluster), str(cluster))
    if state is None:
        raise ClusterFault(str(cluster), "has no stream; run `tsadmin cluster init`")
    return state


def _payload(answer: bytes | Held, cluster: ClusterSettings) -> bytes:
    if isinstance(answer, Held):
        raise ClusterFault(str(cluster), answer.sentence)
    return answer


def _with_connection(
    layout: Layout,
    cluster: ClusterSettings,
    node: str,
    ask: Callable[[Connection], Coroutine[Any, Any, T]],
) -> T:
    async def asked() -> T:
        connection = Connection(cluster, layout, inbox_of(cluster, node))
        try:
            return await ask(connection)
        finally:
            await connection.close()

    return asyncio.run(asked())
