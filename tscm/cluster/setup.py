"""
The stream as it must be, what it is, and what each user of the servers may do.  Pure.

Lines expire in the managers' logs and nowhere else: the stream deletes nothing by itself, and where it is full it
refuses (`discard` new), so that lines wait in the logs.
"""

import json
from collections.abc import Mapping
from typing import Any

from attrs import define, frozen

from tscm.cluster.connection import STREAM
from tscm.cluster.subjects import LINES, token
from tscm.errors import TscmError
from tscm.printable import visible
from tscm.settings.cluster import ClusterSettings

_WINDOW_SECONDS = 120
_SHOWN = 200


@define(eq=False)
class ClusterFault(TscmError):
    """
    The servers of the cluster cannot do what was asked.
    """

    exit_status = 3

    cluster: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.cluster} {self.sentence}"


def stream_settings(cluster: ClusterSettings) -> dict[str, Any]:
    """The stream's configuration, as JetStream's API takes it (STREAM.CREATE, STREAM.UPDATE)."""
    return {
        "name": STREAM,
        "description": "Lines of the logs of all managers",
        "subjects": [f"{LINES}.>"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "num_replicas": cluster.replicas,
        "max_bytes": int(cluster.stream_gb * (1 << 30)),
        "max_age": 0,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "duplicate_window": _WINDOW_SECONDS * 10**9,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": False,
    }


_OURS = (
    "subjects",
    "retention",
    "storage",
    "discard",
    "num_replicas",
    "max_bytes",
    "max_age",
    "duplicate_window",
    "allow_direct",
)


def differences(cluster: ClusterSettings, present: Mapping[str, Any]) -> list[str]:
    """What of the *present* configuration is not as it must be."""
    wanted = stream_settings(cluster)
    return [name for name in _OURS if present.get(name) != wanted[name]]


@frozen(kw_only=True)
class StreamState:
    """
    The stream, as its leader tells of it.
    """

    leader: str
    replicas: int
    behind: tuple[str, ...]
    """Servers that are away, or do not have all messages."""
    messages: int
    size: int
    bound: int
    logs: int
    configuration: Mapping[str, Any]


def read_stream(payload: bytes, cluster: str) -> StreamState | None:
    """The answer to STREAM.INFO, CREATE or UPDATE; None where there is no stream.  Raises `ClusterFault`."""
    try:
        answer = json.loads(payload)
        error = answer.get("error")
        if isinstance(error, dict):
            if error.get("err_code") == _NOT_FOUND:
                return None
            told = visible(str(error.get("description", "without a reason"))[:_SHOWN])
            raise ClusterFault(cluster, f"refuses: {told}{_remedy(error.get('err_code'))}")
        state, configuration = answer["state"], answer["config"]
        servers = answer.get("cluster") or {}
        others = servers.get("replicas") or []
        return StreamState(
            leader=visible(str(servers.get("leader", ""))),
            replicas=1 + len(others),
            behind=tuple(
                visible(str(one.get("name", "")))
                for one in others
                if one.get("offline") or not one.get("current") or one.get("lag")
            ),
            messages=int(state["messages"]),
            size=int(state["bytes"]),
            bound=int(configuration["max_bytes"]),
            logs=int(state.get("num_subjects", 0)),
            configuration=configuration,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ClusterFault(
            cluster, "gave an answer that is not JetStream's; check that JetStream is enabled"
        ) from None


_NOT_FOUND = 10059
_NO_ROOM = {10005, 10023, 10047, 10074}


def _remedy(code: object) -> str:
    if code in _NO_ROOM:
        return (
            "; stream_gb is reserved on as many servers as [cluster] replicas says: give them more storage "
            "(max_file_store), start more servers, or lower either setting"
        )
    return ""


def authorization(cluster: ClusterSettings, node: str, prefix: str) -> str:
    """
    The block for the servers' configuration: one user for the operator, one for the manager *node*.

    The manager may publish its own logs and ask for their ends, and nothing else; it cannot read a line of another
    manager, nor answers that are not its own.
    """
    mine = token(node)
    user = cluster.user or mine
    return f"""\
authorization {{
  users = [
    {{ user: "admin", password: "CHANGE THIS" }}
    {{ user: {json.dumps(user)}, password: "CHANGE THIS", permissions: {{
        publish: ["{LINES}.*.{mine}.>", "$JS.API.DIRECT.GET.{STREAM}.{LINES}.*.{mine}.>"]
        subscribe: ["{prefix}.>"]
    }} }}
  ]
}}"""
