"""
The site that a manager belongs to: the `[cluster]` table of `tscm.toml`.
"""

from typing import Any

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.schema import setting

READER = "cluster"
"""The reader of every log that publishes to the stream."""


def _replicas(value: Any) -> int:
    found = values.whole(1, 5)(value)
    if found % 2 == 0:
        raise values.refused(
            value, "gives no majority that one more server does not give", "1, 3 or 5"
        )
    return found


@frozen(kw_only=True)
class ClusterSettings:
    """
    `[cluster]`: the servers of NATS JetStream that have the lines of all managers of a site.
    """

    servers: tuple[HostPort, ...] = setting(
        values.many(values.host_port),
        (),
        doc="Servers of NATS JetStream, host:port; none for a manager by itself.",
    )
    tls: bool = setting(
        values.yes_no,
        True,
        doc="Whether TLS is required; without it lines and the password travel in the clear.",
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the certificates of the servers."
    )
    user: str | None = setting(
        values.optional(values.account), None, doc="User of this manager at the servers."
    )
    secret_file: str | None = setting(
        values.optional(values.path), None, doc="File of mode 0600 with the user's password."
    )
    replicas: int = setting(_replicas, 3, doc="How many servers keep each line: 1, 3 or 5.")
    stream_gb: float = setting(
        values.number(0.01, 100_000), 200.0, doc="Storage that the stream takes on each server."
    )

    @property
    def place(self) -> str:
        """Where it is."""
        return ",".join(str(one) for one in self.servers)

    def __str__(self) -> str:
        several = f" and {len(self.servers) - 1} more" if len(self.servers) > 1 else ""
        return f"cluster (NATS at {self.servers[0]}{several})" if self.servers else "no cluster"
