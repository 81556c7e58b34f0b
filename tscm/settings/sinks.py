"""
Where the lines of devices go besides syslog: the `[[sink]]` tables of `tscm.toml`.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.schema import read_table, setting

READER = "sink"
"""What the name of every sink's reader of a log begins with."""
MOST_SINKS = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]{0,63})=([!-~]{1,200})")
_INDEX = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}")


class SinkType(StrEnum):
    """What a sink speaks."""

    SPLUNK = "splunk"
    """HTTP Event Collector."""
    OPENSEARCH = "opensearch"
    """The bulk API of OpenSearch and Elasticsearch."""
    LOKI = "loki"
    """The push API of Grafana Loki."""
    KAFKA = "kafka"
    """The Kafka protocol."""


MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""Of SASL, at a Kafka broker."""


def _matching(pattern: re.Pattern[str], wrong: str, allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise values.refused(value, wrong, allowed)
        return value

    return read


sink_name = _matching(_NAME, "is no name of a sink", "up to 32 of a-z, 0-9 and -")
index_name = _matching(
    _INDEX, "is no name of an index or topic", "up to 200 letters, digits, ., _ and -"
)
label = _matching(_LABEL, "is no label", "name=value, without blanks")


def server(value: Any) -> HostPort:
    """A broker, `host:port`."""
    return values.host_port(value)


@frozen(kw_only=True)
class SinkSettings:
    """
    `[[sink]]`: one system that is sent the lines of all devices, or of some.
    """

    name: str = setting(sink_name, doc="Name of the sink; its reader of each log is named for it")
    type: str = setting(values.choice(*SinkType), doc="Type of the sink")
    url: str | None = setting(
        values.optional(values.web_url("https", "http")),
        None,
        doc="URL of the server, such as https://splunk.example:8088; not for kafka",
    )
    servers: tuple[HostPort, ...] = setting(
        values.many(server), (), doc="Brokers, host:port; only for kafka"
    )
    tls: bool = setting(
        values.yes_no,
        True,
        doc="Whether TLS is required; without it lines and the secret travel in the clear",
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the server's certificate"
    )
    user: str | None = setting(
        values.optional(values.account), None, doc="User at the server; its password is the secret"
    )
    secret_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with the token, API key or password",
    )
    mechanism: str = setting(
        values.choice(*MECHANISMS), "SCRAM-SHA-512", doc="SASL mechanism at a Kafka broker"
    )
    index: str | None = setting(
        values.optional(index_name),
        None,
        doc="Index (splunk), index or data stream (opensearch) or topic (kafka)",
    )
    source_type: str = setting(
        values.text, "cisco:asa", doc="Source type that Splunk reads the lines by"
    )
    acknowledge: bool = setting(
        values.yes_no,
        False,
        doc="Wait for Splunk's indexer acknowledgement, which its token must have enabled",
    )
    tenant: str | None = setting(
        values.optional(index_name), None, doc="Tenant at Loki (X-Scope-OrgID)"
    )
    labels: tuple[str, ...] = setting(
        values.many(label), (), doc="Additional labels at Loki, name=value"
    )
    devices: tuple[str, ...] = setting(
        values.many(values.nickname), (), doc="Devices whose lines are sent; none for all"
    )
    linger_seconds: float = setting(
        values.number(0, 60), 1.0, doc="How long lines wait for more before a batch is sent"
    )
    batch_kb: int = setting(
        values.whole(16, 8192), 512, doc="Maximum batch size, before compression"
    )
    compress: bool = setting(values.yes_no, True, doc="Whether batches are compressed (gzip)")
    timeout_seconds: float = setting(
        values.number(1, 300), 30.0, doc="Timeout of a request, its answer included"
    )
    parallel: int = setting(
        values.whole(1, 32), 4, doc="Maximum number of concurrent batches, over all devices"
    )

    @property
    def reader(self) -> str:
        """The name of its reader of each log."""
        return f"{READER}-{self.name}"

    @property
    def place(self) -> str:
        """Where it is, without what an account needs."""
        if self.url is not None:
            return urlsplit(self.url).netloc
        return ",".join(str(one) for one in self.servers)

    def takes(self, device: str) -> bool:
        """Whether the lines of *device* are sent."""
        return not self.devices or device in self.devices

    def __str__(self) -> str:
        return f"sink {self.name} ({self.type} at {self.place})"


_ALLOWED = f"[[sink]] tables of {', '.join(one.name for one in attrs.fields(SinkSettings))}"


def sink_fault(sink: SinkSettings) -> str | None:
    """What is wrong with a sink as a whole."""
    kafka = sink.type == SinkType.KAFKA
    if kafka and (not sink.servers or sink.url is not None):
        return "kafka requires servers, and has no url"
    if not kafka and (sink.url is None or sink.servers):
        return f"{sink.type} requires url, and has no servers"
    if sink.url is not None:
        parts = urlsplit(sink.url)
        if sink.tls and parts.scheme != "https":
            return "a URL without TLS requires tls = false"
        if not sink.tls and parts.scheme == "https":
            return "an https URL requires tls = true"
    if sink.index is None and sink.type in (SinkType.OPENSEARCH, SinkType.KAFKA):
        return f"{sink.type} requires index"
    if sink.type == SinkType.SPLUNK and (sink.secret_file is None or sink.user is not None):
        return "splunk requires secret_file with its token, and has no user"
    if sink.user is not None and sink.secret_file is None:
        return "user requires secret_file"
    if kafka and sink.secret_file is not None and sink.user is None:
        return "secret_file requires user"
    return _idle(sink)


_ONLY = {
    "acknowledge": {SinkType.SPLUNK},
    "source_type": {SinkType.SPLUNK},
    "tenant": {SinkType.LOKI},
    "labels": {SinkType.LOKI},
    "mechanism": {SinkType.KAFKA},
}


def _idle(sink: SinkSettings) -> str | None:
    """That a setting is given which its type does not have: it would promise what does not happen."""
    defaults = attrs.fields_dict(SinkSettings)
    for name, types in _ONLY.items():
        if getattr(sink, name) != defaults[name].default and sink.type not in types:
            return f"{name} is only for {', '.join(sorted(types))}"
    if sink.type == SinkType.LOKI and sink.index is not None:
        return "index is not for loki"
    return None


def sinks(value: Any) -> tuple[SinkSettings, ...]:
    """The `[[sink]]` tables: every name once."""
    if not isinstance(value, list | tuple) or len(value) > MOST_SINKS:
        raise values.refused(
            "what is given", f"is not a list of up to {MOST_SINKS} tables", _ALLOWED
        )
    found: dict[str, SinkSettings] = {}
    for number, given in enumerate(value, 1):
        one, faults = (
            (given, ()) if isinstance(given, SinkSettings) else read_table(SinkSettings, given)
        )
        if one is None:
            raise values.refused(f"table {number}", f"is faulty: {faults[0]}", _ALLOWED)
        if wrong := sink_fault(one):
            raise values.refused(f"table {number}", f"({one.name}): {wrong}", _ALLOWED)
        if one.name in found:
            raise values.refused(one.name, "names two sinks", _ALLOWED)
        found[one.name] = one
    return tuple(found.values())
