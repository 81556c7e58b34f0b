"""
Settings of the node: listeners, limits, log service, and the tables of the other modules.

No default names a server of a third party: policy servers and log service are empty until the
operator sets them.
"""

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.alarms import AlarmSettings, HeartbeatSettings, MailSettings, WebhookSettings
from tscm.settings.backup import BackupSettings
from tscm.settings.cluster import ClusterSettings
from tscm.settings.forward_target import target_url
from tscm.settings.policy import PolicySettings
from tscm.settings.portal import PortalSettings
from tscm.settings.reports import ReportSettings
from tscm.settings.schema import section, setting
from tscm.settings.sinks import SinkSettings, sinks
from tscm.settings.web import WebSettings

_ANY = "0.0.0.0"  # noqa: S104 - a collector listens everywhere unless told otherwise


@frozen(kw_only=True)
class Listen:
    """`[listen]`: where lines come in."""

    udp: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (HostPort(_ANY, 514), HostPort("::", 514)),
        doc="Listen addresses for syslog over UDP.",
    )
    tcp: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (HostPort(_ANY, 514), HostPort(_ANY, 1470), HostPort("::", 514), HostPort("::", 1470)),
        doc="Listen addresses for syslog over TCP.",
    )
    tls: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses for syslog over TLS (RFC 5425).",
    )
    ipv6_takes_ipv4: bool = setting(
        values.yes_no,
        False,
        doc=(
            "Whether `[::]` in these lists accepts IPv4 too, unless an IPv4 address with the "
            "same port is listed."
        ),
    )
    tls_certificate: str | None = setting(
        values.optional(values.path), None, doc="Server certificate and chain, PEM."
    )
    tls_key: str | None = setting(
        values.optional(values.path), None, doc="Key of the server certificate, PEM."
    )
    tls_client_ca: str | None = setting(
        values.optional(values.path), None, doc="CAs used to verify client certificates."
    )
    tls_client: str = setting(
        values.choice("off", "optional", "required"),
        "off",
        doc="Whether client certificates are requested or required.",
    )
    lists: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses from which firewalls pull their lists over HTTPS, such as 0.0.0.0:8443.",
    )
    lists_names: tuple[str, ...] = setting(
        values.many(values.address),
        (),
        doc=(
            "Names and addresses by which firewalls reach that listener: the first stands in the "
            "URLs that `add` prints, and a generated certificate is good for all."
        ),
    )
    lists_certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc=(
            "Certificate and chain of that listener, PEM; read again when it changes. Without it "
            "the manager generates a self-signed one."
        ),
    )
    lists_key: str | None = setting(
        values.optional(values.path), None, doc="Key of that certificate, PEM."
    )
    metrics: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses for `/metrics` (Prometheus) and `/healthz`: loopback, such as "
        "127.0.0.1:9514, or any with the settings below.",
    )
    metrics_names: tuple[str, ...] = setting(
        values.many(values.dns_name),
        (),
        doc=(
            "Host names accepted in requests for `/metrics`, besides addresses and localhost; "
            "others are refused."
        ),
    )
    metrics_certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc="Certificate and chain for `/metrics` over HTTPS, PEM; read again when it changes.",
    )
    metrics_key: str | None = setting(
        values.optional(values.path), None, doc="Key of that certificate, PEM."
    )
    metrics_account_file: str | None = setting(
        values.optional(values.path),
        None,
        doc=(
            "File of mode 0600 with user:password on its first line, required (Basic) for "
            "every request."
        ),
    )
    tls_client_names: tuple[str, ...] = setting(
        values.many(values.address),
        (),
        doc=(
            "Names, one of which a client certificate must contain; none accepts every "
            "certificate of the client CA."
        ),
    )
    tls_client_fingerprints: tuple[str, ...] = setting(
        values.fingerprints,
        (),
        doc="SHA-256 fingerprints of client certificates that are accepted without a CA.",
    )


@frozen(kw_only=True)
class Intake:
    """`[intake]`: bounds on what senders can make the manager do."""

    max_message_bytes: int = setting(
        values.whole(480, 1 << 24),
        65536,
        doc="Maximum message length; longer messages are truncated and counted.",
    )
    receive_buffer_bytes: int = setting(
        values.whole(65536, 1 << 29), 32 << 20, doc="Receive buffer requested for each UDP socket."
    )
    udp_sockets: int = setting(
        values.whole(1, 64), 1, doc="UDP sockets per address, with SO_REUSEPORT."
    )
    udp_helper: str = setting(
        values.choice("auto", "compiled", "numpy", "plain"), "auto", doc="Receive path for UDP."
    )
    busy_wait_ms: float = setting(
        values.number(0, 50),
        4.0,
        doc="Wait before a busy UDP socket is read, so that one read takes many lines; up to ten times as long with many senders.",
    )
    max_connections: int = setting(
        values.whole(1, 1_000_000), 4096, doc="Maximum number of TCP and TLS connections."
    )
    max_connections_per_sender: int = setting(
        values.whole(1, 100_000),
        1024,
        doc=(
            "Maximum number of TCP and TLS connections from one known sender: a device, a "
            "relay, or many devices behind one address."
        ),
    )
    max_connections_per_unknown_sender: int = setting(
        values.whole(1, 100_000),
        64,
        doc="Maximum number of TCP and TLS connections from one unknown sender.",
    )
    unknown_senders: str = setting(
        values.choice("count", "quarantine", "close"),
        "count",
        doc=(
            "Unknown senders: count their lines, keep them in a quarantine log, or close TCP "
            "at once."
        ),
    )
    quarantine_kb: int = setting(
        values.whole(50, 1 << 24), 10240, doc="Maximum size of the quarantine log."
    )
    unknown_kb_per_second: int = setting(
        values.whole(1, 1 << 20),
        1024,
        doc=(
            "Limit on data read over TCP from an unknown sender, and kept in quarantine, per "
            "second."
        ),
    )
    octet_counting: bool = setting(
        values.yes_no, True, doc="Accept octet-counted messages over TCP and TLS (RFC 6587)."
    )
    resolve_seconds: int = setting(
        values.whole(5, 86400),
        300,
        doc="Interval between lookups of the names of senders and of UDP targets.",
    )


@frozen(kw_only=True)
class SpoolBounds:
    """`[spool]`: how long lines are kept."""

    rotate_seconds: int = setting(
        values.whole(10, 86400),
        900,
        doc="Maximum age of the live segment; an older one is rotated.",
    )
    max_age_days: int = setting(
        values.whole(1, 3650), 35, doc="Maximum age of rotated segments; older ones are deleted."
    )
    max_mb_per_device: int = setting(
        values.whole(1, 1 << 24),
        4096,
        doc="Maximum size of a device's segments; the oldest are deleted first.",
    )
    min_free_mb: int = setting(
        values.whole(0, 1 << 24),
        512,
        doc="Minimum free disk space; below it, the oldest segments are deleted.",
    )
    fsync: str = setting(
        values.choice("off", "interval", "seal"), "interval", doc="When lines are synced to disk."
    )
    fsync_ms: int = setting(values.whole(10, 60000), 1000, doc="Interval between two fsync calls.")
    compress: bool = setting(
        values.yes_no, True, doc="Compress segments that all readers have read."
    )


@frozen(kw_only=True)
class UploadSettings:
    """`[upload]`: the log service."""

    url: str | None = setting(
        values.optional(values.web_url("https")), None, doc="URL of the log service, https://…"
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA of the log service if it is not a public one."
    )
    kind: str = setting(
        values.choice("log_service", "s3"),
        "log_service",
        doc="Type of url: a log service, or an S3-compatible store.",
    )
    bucket: str | None = setting(
        values.optional(values.text), None, doc="Bucket of the S3 store; it must exist."
    )
    prefix: str = setting(values.text, "", doc="Prefix of objects in the bucket.")
    region: str = setting(values.text, "us-east-1", doc="Region used to sign requests.")
    credentials_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with aws_access_key_id and aws_secret_access_key, one per line.",
    )
    interval_seconds: int = setting(
        values.whole(10, 86400), 900, doc="Maximum interval between two uploads of a device."
    )
    max_batch_kb: int = setting(
        values.whole(50, 1 << 20), 8192, doc="Maximum batch size, before compression."
    )
    timeout_seconds: float = setting(
        values.number(1, 600),
        60.0,
        doc=(
            "Timeout for an idle connection; a whole upload takes at most twice that and one "
            "second for each 16 KB."
        ),
    )
    parallel: int = setting(
        values.whole(1, 64), 2, doc="Maximum number of concurrent uploads, over all devices."
    )


@frozen(kw_only=True)
class ControlSettings:
    """`[control]`: who may ask the manager, and what is kept of it."""

    delegates: tuple[str, ...] = setting(
        values.many(values.account),
        (),
        doc="Users of this host that may act on behalf of others, such as the user of a web page.",
    )
    audit_days: int = setting(
        values.whole(1, 36500), 400, doc="Maximum age of audit entries; older ones are deleted."
    )
    audit_forward: tuple[str, ...] = setting(
        values.many(target_url),
        (),
        doc="SIEM targets that are sent every audit entry as syslog (RFC 5424), as "
        "tls://siem.example:6514?framing=octets; none sends it nowhere.",
    )
    audit_ca_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="CA file for the certificates of TLS targets of the audit.",
    )


@frozen(kw_only=True)
class NodeSettings:
    """All of `tscm.toml`."""

    node_id: str = setting(
        values.nickname, "tscm", doc="Name of this manager, used to mark groups on devices."
    )
    address: str | None = setting(
        values.optional(values.ip_address),
        None,
        doc=(
            "Address at which devices reach this manager: used in what `add` prints, and "
            "protected by the guard."
        ),
    )
    listen: Listen = section(Listen, doc="Listeners.")
    intake: Intake = section(Intake, doc="Limits on senders.")
    spool: SpoolBounds = section(SpoolBounds, doc="Storage and retention of lines.")
    policy: PolicySettings = section(PolicySettings, doc="Sources of lists.")
    upload: UploadSettings = section(UploadSettings, doc="The log service.")
    portal: PortalSettings = section(PortalSettings, doc="The embedded services.")
    control: ControlSettings = section(ControlSettings, doc="Access to the manager, and the audit.")
    backup: BackupSettings = section(BackupSettings, doc="Scheduled backups.")
    web: WebSettings = section(WebSettings, doc="The page.")
    alarms: AlarmSettings = section(AlarmSettings, doc="Alarms.")
    mail: MailSettings = section(MailSettings, doc="Mail of the manager.")
    webhook: WebhookSettings = section(
        WebhookSettings, doc="An HTTP server that is told of alarms."
    )
    heartbeat: HeartbeatSettings = section(HeartbeatSettings, doc="A sign of life at an interval.")
    reports: ReportSettings = section(ReportSettings, doc="Scheduled reports.")
    cluster: ClusterSettings = section(
        ClusterSettings, doc="The site's stream of lines, on NATS JetStream."
    )
    sink: tuple[SinkSettings, ...] = setting(
        sinks, (), doc="Systems that are sent the lines over HTTP or Kafka, [[sink]]."
    )
