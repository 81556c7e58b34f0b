"""
What to enter on a firewall that pulls: how it comes to the lists, and the way back.

Pure text, filled in for the device and for the manager's address.  Lines that begin with `#` are remarks.
"""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from tscm.kinds.lists.address import UNKNOWN_ADDRESS, UNKNOWN_SECRET, url_of
from tscm.services.publication import MD5, PLAIN_ALLOW, PLAIN_BLOCK
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.settings.pulled import PullSettings, pulling

_SYSLOG_PORT = 514


@frozen(kw_only=True)
class Words:
    """What the lines are filled in with."""

    settings: PullSettings
    node: NodeSettings

    @property
    def block(self) -> str:
        """The name of the block list on the firewall."""
        return f"{self.settings.object_prefix}-Block"

    @property
    def allow(self) -> str:
        """The name of the allow list on the firewall."""
        return f"{self.settings.object_prefix}-Allow"

    @property
    def manager(self) -> str:
        """The manager's address."""
        return self.node.address or UNKNOWN_ADDRESS

    @property
    def user(self) -> str | None:
        """The user to be given, where there is one."""
        return self.settings.pull_user

    @property
    def minutes(self) -> int:
        """Between two pulls."""
        return self.settings.pull_minutes

    def url(self, file: str) -> str:
        """Where *file* is served."""
        return url_of(self.settings, self.node, file)


def setup_lines(settings: DeviceSettings, node: NodeSettings) -> str:
    """From a firewall without the list to one that blocks by it and sends its syslog here."""
    words = Words(settings=pulling(settings), node=node)
    own = _SETUP[settings.type](words)
    return "\n".join([*_before(words), *own, *_after(words), ""])


def removal_lines(settings: DeviceSettings, node: NodeSettings, _: Sequence[str] = ()) -> str:
    """The way back: rules first, then the lists, then logging."""
    words = Words(settings=pulling(settings), node=node)
    return "\n".join(
        [
            "# 1. Take the lists out of every rule or policy that uses them, then remove them",
            *_WAY_BACK[settings.type](words),
            f"# 2. Logging: remove {words.manager} from the syslog servers of the firewall",
            f"# 3. In the portal: delete the entry of {settings.device_id}",
            "",
        ]
    )


def _before(words: Words) -> list[str]:
    found = [
        f"# 1. Publish the lists with `tsadmin update {words.settings.name}`; until then the manager answers 503",
    ]
    if not words.node.listen.lists:
        found.append(
            "# The manager serves no lists yet: set lists under [listen] in tscm.toml, such as "
            '["0.0.0.0:8443"]'
        )
    if UNKNOWN_ADDRESS in words.url(PLAIN_BLOCK):
        found.append(
            f"# {UNKNOWN_ADDRESS}: set address in tscm.toml, or lists_names under [listen], to have it filled in"
        )
    if f"/{UNKNOWN_SECRET}/" in words.url(PLAIN_BLOCK):
        found.append(
            f"# {UNKNOWN_SECRET}: the secret part of the path can be shown only to a user who may read the key of the manager"
        )
    own = (
        words.node.listen.lists_certificate or "/var/lib/tscm/lists/lists.crt on the manager's host"
    )
    return [
        *found,
        f"# 2. The firewall must trust the certificate of the manager: {own}, or its CA",
    ]


def _after(words: Words) -> list[str]:
    udp = [one.port for one in words.node.listen.udp if one.port]
    port = _SYSLOG_PORT if _SYSLOG_PORT in udp else next(iter(udp), _SYSLOG_PORT)
    return [
        f"# 4. Logging: log the rules above, and send syslog to {words.manager}, port {port}",
        f"# 5. Verify: `tsadmin show {words.settings.name}` shows who pulled which generation, and when",
    ]


def _account(words: Words, line: str) -> list[str]:
    """*line* where the firewall has to give a user."""
    return [] if words.user is None else [line]


def _generic(words: Words) -> list[str]:
    return [
        f"# 3. Have the firewall pull this list every {words.minutes} minutes, and block what it names in both directions",
        words.url(PLAIN_BLOCK),
        "# the allow list, where rules above the block rule need it (block.txt is without what it covers):",
        words.url(PLAIN_ALLOW),
        *_account(words, f"# user {words.user}, with the password of the settings (Basic)"),
    ]


def _generic_back(words: Words) -> list[str]:
    return [f"# the list {words.url(PLAIN_BLOCK).rpartition('/')[2]} of this manager"]


def _firepower(words: Words) -> list[str]:
    found = [
        "# 3. FMC: Objects > Object Management > Security Intelligence > Network Lists and Feeds > Add",
    ]
    for name, file in ((words.block, PLAIN_BLOCK), (words.allow, PLAIN_ALLOW)):
        found += [
            f"Name: {name}",
            "Type: Feed",
            f"Feed URL: {words.url(file)}",
            f"MD5 URL: {words.url(file + MD5)}",
            f"Update Frequency: {words.minutes} minutes",
        ]
    return [
        *found,
        *_account(
            words, "# FMC gives no user: clear pull_user, and set pull_sources to the FMC's address"
        ),
        "# Policies > Access Control > edit the policy > Security Intelligence > Networks:",
        f"#   add {words.allow} to Do Not Block and {words.block} to Block, each with logging; save and deploy",
        "# FDM: POST /api/fdm/latest/object/networkfeeds, without blanks in the name, with feedURL,",
        "#   checksumURL and updateFrequency, then Policies > Security Intelligence",
    ]


def _firepower_back(words: Words) -> list[str]:
    return [
        f"# FMC: Security Intelligence of each access control policy: remove {words.block} and {words.allow}; save and deploy",
        f"# Objects > Object Management > Network Lists and Feeds: delete {words.block} and {words.allow}",
    ]


_RECURRING = ((1440, "daily at 03"), (60, "hourly"), (0, "five-minute"))
"""From so many minutes on: no slower than `pull_minutes`, by which `status` tells who is late."""


def _panos(words: Words) -> list[str]:
    recurring = next(word for least, word in _RECURRING if words.minutes >= least)
    found = ["# 3. In configuration mode", "configure"]
    for name, file in ((words.block, PLAIN_BLOCK), (words.allow, PLAIN_ALLOW)):
        found += [
            f"set external-list {name} type ip recurring {recurring}",
            f"set external-list {name} type ip url {words.url(file)}",
            f"set external-list {name} type ip certificate-profile PROFILE",
            *_account(words, f"set external-list {name} type ip auth username {words.user}"),
            *_account(words, f"set external-list {name} type ip auth password PASSWORD"),
        ]
    for way, sides in (
        ("out", f"source any destination {words.block}"),
        ("in", f"source {words.block} destination any"),
    ):
        found += [
            f"set rulebase security rules {words.block}-{way} from any to any {sides} application any "
            "service any action deny log-end yes log-setting SYSLOG-PROFILE",
            f"move rulebase security rules {words.block}-{way} top",
        ]
    return [
        *found,
        "commit",
        f"# the firewall reads at most the entries of its model; see `request system external-list show type ip name {words.block}`",
    ]


def _panos_back(words: Words) -> list[str]:
    return [
        "configure",
        f"delete rulebase security rules {words.block}-out",
        f"delete rulebase security rules {words.block}-in",
        f"delete external-list {words.block}",
        f"delete external-list {words.allow}",
        "commit",
    ]


def _fortinet(words: Words) -> list[str]:
    found = ["# 3. On the FortiGate", "config system external-resource"]
    for name, file in ((words.block, PLAIN_BLOCK), (words.allow, PLAIN_ALLOW)):
        found += [
            f'    edit "{name}"',
            "        set status enable",
            "        set type address",
            f'        set resource "{words.url(file)}"',
            f"        set refresh-rate {words.minutes}",
            *_account(words, f'        set username "{words.user}"'),
            *_account(words, "        set password PASSWORD"),
            "    next",
        ]
    return [
        *found,
        "end",
        "# Policy & Objects > Firewall Policy: two deny policies at the top with all violation traffic logged,",
        f'#   one with source "{words.block}", one with destination "{words.block}"',
    ]


def _fortinet_back(words: Words) -> list[str]:
    return [
        "config system external-resource",
        f'    delete "{words.block}"',
        f'    delete "{words.allow}"',
        "end",
    ]


def _checkpoint(words: Words) -> list[str]:
    return [
        "# 3. R81.20 and later, in SmartConsole: Objects > New > More > Network Feed, type Flat List,",
        f"#   checked every {words.minutes} minutes; use it as source and as destination of two Drop rules with Track: Log",
        f"Name: {words.block}",
        f"URL: {words.url(PLAIN_BLOCK)}",
        *_account(words, f"User: {words.user}, with the password of the settings"),
        "# Earlier releases, with Anti-Bot or Anti-Virus (sk132193): on each gateway and each member",
        f'ioc_feeds add --feed-name {words.block} --transport https --resource "{words.url("block.csv")}"',
        "# every feed of a gateway has the same interval",
    ]


def _checkpoint_back(words: Words) -> list[str]:
    return [
        f"# SmartConsole: remove the rules and the Network Feed {words.block}; install the policy",
        "# or on each gateway and each member:",
        f"ioc_feeds delete --feed-name {words.block}",
    ]


def _mikrotik(words: Words) -> list[str]:
    name, file = words.settings.object_prefix, f"{words.block}.rsc"
    login = "" if words.user is None else f" user={words.user} password=PASSWORD"
    fetch = (
        f'/tool fetch url=\\"{words.url("block.rsc")}\\" mode=https check-certificate=yes{login} '
        f"dst-path={words.block}.new"
    )
    read = f"/file get [find name={words.block}.new] size"
    script = (
        f":do {{ {fetch}; :if ([{read}] > 0) do={{ /import file-name={words.block}.new; "
        f":do {{ /file remove {file} }} on-error={{}}; /file set {words.block}.new name={file} }} }} "
        f"on-error={{ :log warning {name}-list-not-fetched; /import file-name={file} }}"
    )
    found = [
        "# 3. On RouterOS 7: fetch, import, and import the last good file again where the fetch fails,",
        "#   so that its entries are renewed",
        f'/system script add name={name} source="{script}"',
        f"/system scheduler add name={name} interval={words.minutes}m start-time=startup on-event={name}",
    ]
    rules = [
        f"/{family} firewall raw add chain=prerouting {side}-address-list={words.block} action=drop log=yes "
        f"log-prefix={words.block}"
        for family in ("ip", "ipv6")
        for side in ("src", "dst")
    ]
    return [*found, *rules]


def _mikrotik_back(words: Words) -> list[str]:
    name = words.settings.object_prefix
    found = [
        f"/system scheduler remove [find name={name}]",
        f"/system script remove [find name={name}]",
    ]
    for family in ("ip", "ipv6"):
        found += [
            f"/{family} firewall raw remove [find log-prefix={words.block}]",
            f"/{family} firewall address-list remove [find list={words.block}]",
        ]
    return [*found, f"/file remove {words.block}.rsc"]


_Lines = Mapping[str, Callable[[Words], list[str]]]
_SETUP: _Lines = {
    "checkpoint": _checkpoint,
    "firepower": _firepower,
    "fortinet": _fortinet,
    "generic": _generic,
    "mikrotik": _mikrotik,
    "panos": _panos,
}
_WAY_BACK: _Lines = {
    "checkpoint": _checkpoint_back,
    "firepower": _firepower_back,
    "fortinet": _fortinet_back,
    "generic": _generic_back,
    "mikrotik": _mikrotik_back,
    "panos": _panos_back,
}
