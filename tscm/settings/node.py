"""
Settings of the node: listeners, bounds, policy servers, log service.

No default points at anybody's cloud: policy servers and log service stand empty
until the operator names them.
"""

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.feed import Feed, feeds
from tscm.settings.forwarding import target_url
from tscm.settings.networks import NetworksFile, networks_files
from tscm.settings.schema import section, setting

_ANY = "0.0.0.0"  # noqa: S104 - a collector listens everywhere unless told otherwise


@frozen(kw_only=True)
class Listen:
    """`[listen]`: where lines come in."""

    udp: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (HostPort(_ANY, 514), HostPort("::", 514)),
        doc="Addresses for syslog over UDP.",
    )
    tcp: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (HostPort(_ANY, 514), HostPort(_ANY, 1470), HostPort("::", 514), HostPort("::", 1470)),
        doc="Addresses for syslog over TCP.",
    )
    tls: tuple[HostPort, ...] = setting(
        values.many(values.listen_address), (), doc="Addresses for syslog over TLS (RFC 5425)."
    )
    ipv6_takes_ipv4: bool = setting(
        values.yes_no,
        False,
        doc="Does `[::]` in these lists take IPv4 too, where no IPv4 address with its port stands beside it?",
    )
    tls_certificate: str | None = setting(
        values.optional(values.path), None, doc="Server certificate and chain, PEM."
    )
    tls_key: str | None = setting(
        values.optional(values.path), None, doc="Key of the server certificate, PEM."
    )
    tls_client_ca: str | None = setting(
        values.optional(values.path), None, doc="CAs that client certificates are checked against."
    )
    tls_client: str = setting(
        values.choice("off", "optional", "required"), "off", doc="Client certificates."
    )
    metrics: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Addresses for `/metrics` (Prometheus) and `/healthz`: loopback, as 127.0.0.1:9514, or with the "
        "settings below.",
    )
    metrics_names: tuple[str, ...] = setting(
        values.many(values.dns_name),
        (),
        doc="Host names by which `/metrics` is asked for, besides addresses and localhost; others are refused.",
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
        doc="File of mode 0600 with user:password on its first line, asked for (Basic) before an answer.",
    )
    tls_client_names: tuple[str, ...] = setting(
        values.many(values.address),
        (),
        doc="Names of which a client certificate must hold one; none takes all of the client CA.",
    )
    tls_client_fingerprints: tuple[str, ...] = setting(
        values.fingerprints,
        (),
        doc="SHA-256 of client certificates that are taken without a CA.",
    )


@frozen(kw_only=True)
class Intake:
    """`[intake]`: bounds on what senders can make the manager do."""

    max_message_bytes: int = setting(
        values.whole(480, 1 << 24), 65536, doc="A longer message is cut and counted."
    )
    receive_buffer_bytes: int = setting(
        values.whole(65536, 1 << 29), 32 << 20, doc="Socket buffer asked for each UDP socket."
    )
    udp_sockets: int = setting(
        values.whole(1, 64), 1, doc="UDP sockets an address, with SO_REUSEPORT."
    )
    udp_helper: str = setting(
        values.choice("auto", "compiled", "numpy", "plain"), "auto", doc="How UDP is read."
    )
    busy_wait_ms: float = setting(
        values.number(0, 50),
        4.0,
        doc="Wait before a busy UDP socket is read, so that one read takes many lines; up to ten times as long with many senders.",
    )
    max_connections: int = setting(
        values.whole(1, 1_000_000), 4096, doc="TCP and TLS connections in all."
    )
    max_connections_per_sender: int = setting(
        values.whole(1, 100_000),
        1024,
        doc="TCP and TLS connections of one known sender: a device, a relay, or many devices behind one address.",
    )
    max_connections_per_unknown_sender: int = setting(
        values.whole(1, 100_000), 64, doc="TCP and TLS connections of one unknown sender."
    )
    unknown_senders: str = setting(
        values.choice("count", "quarantine", "close"),
        "count",
        doc="Lines of unknown senders: counted; kept in a quarantine log; TCP closed at once.",
    )
    quarantine_kb: int = setting(
        values.whole(50, 1 << 24), 10240, doc="Quota of the quarantine log."
    )
    unknown_kb_per_second: int = setting(
        values.whole(1, 1 << 20),
        1024,
        doc="How much of an unknown sender is read from TCP, and kept in quarantine, in a second.",
    )
    octet_counting: bool = setting(
        values.yes_no, True, doc="Take octet-counted messages on TCP and TLS (RFC 6587)."
    )
    resolve_seconds: int = setting(
        values.whole(5, 86400),
        300,
        doc="How often names of senders and of UDP targets are looked up.",
    )


@frozen(kw_only=True)
class SpoolBounds:
    """`[spool]`: how long lines are kept."""

    rotate_seconds: int = setting(
        values.whole(10, 86400), 900, doc="A live segment older than this is sealed."
    )
    max_age_days: int = setting(
        values.whole(1, 3650), 35, doc="Sealed segments older than this are deleted."
    )
    max_mb_per_device: int = setting(
        values.whole(1, 1 << 24),
        4096,
        doc="A device's segments above this are deleted, oldest first.",
    )
    min_free_mb: int = setting(
        values.whole(0, 1 << 24), 512, doc="Below this much free disk the oldest segments go."
    )
    fsync: str = setting(
        values.choice("off", "interval", "seal"), "interval", doc="When lines are forced to disk."
    )
    fsync_ms: int = setting(values.whole(10, 60000), 1000, doc="Interval of fsync.")
    compress: bool = setting(values.yes_no, True, doc="Compress segments that all readers passed.")


@frozen(kw_only=True)
class PolicySettings:
    """`[policy]`: where lists come from, and what the guard lets through."""

    servers: tuple[HostPort, ...] = setting(
        values.many(values.host_port),
        (),
        doc="Policy servers in order of preference, address[:port].",
    )
    feeds: tuple[Feed, ...] = setting(
        feeds, (), doc="Lists that come from files or over HTTPS instead, [[policy.feeds]]."
    )
    interval_seconds: int = setting(
        values.whole(60, 86400 * 7), 3600, doc="Time between policy updates of a device."
    )
    timeout_seconds: float = setting(
        values.number(1, 600), 30.0, doc="Limit for connecting to a policy server and for silence."
    )
    max_list_entries: int = setting(
        values.whole(1, 10_000_000), 1_000_000, doc="A longer list is refused as a whole."
    )
    max_shrink_percent: int = setting(
        values.whole(0, 100),
        50,
        doc="A list, or block entries in force, that shrank by more need --accept_shrink.",
    )
    min_readable_percent: int = setting(
        values.whole(0, 100),
        95,
        doc="A list of which less could be read, and more than 5 entries not, needs --accept_shrink.",
    )
    shrink_days: int = setting(
        values.whole(1, 90),
        7,
        doc="Days over which block entries in force must not shrink by more than that, however slowly.",
    )
    max_growth_percent: int | None = setting(
        values.optional(values.whole(1, 1_000_000)),
        None,
        doc="A list that grew by more needs --accept_growth; without a number any growth is taken.",
    )
    max_allow_growth_percent: int | None = setting(
        values.optional(values.whole(1, 1_000_000)),
        100,
        doc="An allow list that would grow by more than that, and by more than 50 entries, needs --accept_allow.",
    )
    max_allow_percent: int = setting(
        values.whole(0, 100),
        50,
        doc="A growing allow list that takes a larger share of the Max policy size needs --accept_allow.",
    )
    widest_ipv4: int = setting(values.whole(0, 32), 8, doc="Widest IPv4 entry, prefix length.")
    widest_ipv6: int = setting(values.whole(0, 128), 19, doc="Widest IPv6 entry, prefix length.")
    allow_special: bool = setting(
        values.yes_no,
        False,
        doc="Take private, loopback, link-local, multicast and documentation space.",
    )
    protect: tuple[str, ...] = setting(
        values.many(values.address), (), doc="More addresses that a block list must not cover."
    )
    unknown_names: str = setting(
        values.choice("hold", "warn"),
        "hold",
        doc="While no address is known of a name that must not be blocked: new block entries wait, or a warning.",
    )
    entry_hours: int | None = setting(
        values.optional(values.whole(1, 87600)),
        None,
        doc="How long an entry by hand stands without --for; without a number until it is removed.",
    )
    confirm_changes_percent: int | None = setting(
        values.optional(values.whole(0, 100)),
        None,
        doc="`update` at a terminal shows a change of more entries than that and asks; without a number it never does.",
    )
    networks: tuple[NetworksFile, ...] = setting(
        networks_files,
        (),
        doc="Files of networks that are known good, one's own, or of a source, [[policy.networks]].",
    )
    retry_seconds: float = setting(
        values.number(0, 3600),
        60.0,
        doc="First pause after a device failed in an update; it doubles up to the fifth failure.",
    )
    parallel_updates: int = setting(values.whole(1, 64), 4, doc="Devices updated at the same time.")
    save_config: bool = setting(
        values.yes_no, True, doc="Save the device's configuration after a changed update."
    )


@frozen(kw_only=True)
class UploadSettings:
    """`[upload]`: the log service."""

    url: str | None = setting(
        values.optional(values.web_url("https")), None, doc="The log service, https://…"
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA of the log service where it is no public one."
    )
    kind: str = setting(
        values.choice("log_service", "s3"),
        "log_service",
        doc="What url is: a log service, or a store that speaks S3.",
    )
    bucket: str | None = setting(
        values.optional(values.text), None, doc="Bucket of the S3 store, which must exist."
    )
    prefix: str = setting(values.text, "", doc="What objects in the bucket begin with.")
    region: str = setting(values.text, "us-east-1", doc="Region that requests are signed for.")
    credentials_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with aws_access_key_id and aws_secret_access_key, a line each.",
    )
    interval_seconds: int = setting(
        values.whole(10, 86400), 900, doc="Longest time between two uploads of a device."
    )
    max_batch_kb: int = setting(
        values.whole(50, 1 << 20), 8192, doc="Largest batch, before compression."
    )
    timeout_seconds: float = setting(
        values.number(1, 600),
        60.0,
        doc="Limit for silence; a whole upload takes twice that and a second for each 16 KB at most.",
    )
    parallel: int = setting(
        values.whole(1, 64), 2, doc="Uploads at the same time, over all devices."
    )


@frozen(kw_only=True)
class PortalSettings:
    """`[portal]`: the embedded policy service and log service, in the manager's process."""

    dns: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Addresses of the policy service; none turns it off.",
    )
    logs: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Addresses of the log service; none turns it off.",
    )
    certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc="Certificate of the log service; else made: /var/lib/tscm/portal/log-service.crt.",
    )
    key: str | None = setting(values.optional(values.path), None, doc="Its key.")
    uploads_max_age_days: int = setting(
        values.whole(1, 3650), 90, doc="Uploads that the log service keeps for longer are deleted."
    )
    uploads_max_mb_per_device: int = setting(
        values.whole(64, 1 << 24),
        4096,
        doc="What the log service keeps of a device above this is deleted, oldest first.",
    )
    uploads_max_batches_per_device: int = setting(
        values.whole(100, 1_000_000),
        20_000,
        doc="More uploads of a device, each of them a file, are not kept: the oldest go.",
    )


@frozen(kw_only=True)
class ControlSettings:
    """`[control]`: who may ask the manager, and what is kept of it."""

    delegates: tuple[str, ...] = setting(
        values.many(values.account),
        (),
        doc="Users of this host that may ask on behalf of others, as the web page's.",
    )
    audit_days: int = setting(
        values.whole(1, 36500), 400, doc="Audit entries older than this are deleted."
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
        values.nickname, "tscm", doc="Name of this manager, as it marks groups on devices."
    )
    address: str | None = setting(
        values.optional(values.ip_address),
        None,
        doc="Address by which devices reach this manager: for what `add` prints, and protected by the guard.",
    )
    listen: Listen = section(Listen, doc="Where lines come in.")
    intake: Intake = section(Intake, doc="Bounds on senders.")
    spool: SpoolBounds = section(SpoolBounds, doc="How long lines are kept.")
    policy: PolicySettings = section(PolicySettings, doc="Where lists come from.")
    upload: UploadSettings = section(UploadSettings, doc="The log service.")
    portal: PortalSettings = section(PortalSettings, doc="The embedded services.")
    control: ControlSettings = section(
        ControlSettings, doc="Who may ask the manager, and the audit."
    )
