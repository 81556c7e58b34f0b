"""
Whom a block list must never reach, and what is known of those that are given by name.

A name that cannot be looked up keeps the addresses that it had, with their age.  For one of which no
address was ever seen nothing can be left out of a list: who calls decides what waits for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from tscm.plural import many
from tscm.policy.guard import Protected
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import READER
from tscm.settings.node import NodeSettings
from tscm.update.known_name import KnownName


def is_address(host: str) -> bool:
    """Is *host* an address, and no name?"""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@frozen(kw_only=True)
class Host:
    """
    A party that policy or log goes through: *host* as it is given, and *where* that is set.
    """

    host: str
    what: str
    where: str

    @property
    def named(self) -> bool:
        """Is it a name, and no address?"""
        return not is_address(self.host)


def hosts(settings: DeviceSettings, node: NodeSettings, sources: Iterable[str] = ()) -> list[Host]:
    """
    All that matter to this device, each once; *sources* are hosts that its lists came by way of.

    Policy servers and feeds of lists that this device does not use count as far as they are given
    by address: that costs no look-up.
    """
    lists = {*settings.block_list.split(), *settings.allow_list.split()}
    feeds = {one.name: (one.url, *(place.url for place in one.also)) for one in node.policy.feeds}
    served = bool(lists - set(feeds))
    named: list[tuple[str | None, str, str, bool]] = [
        (settings.device, "an address of the device", "--device", True),
        *((one, "an address of the device", "--ha_members", True) for one in settings.ha_members),
        *((one.host, "a policy server", "policy.servers", served) for one in node.policy.servers),
        *(
            (_host(url), "a source of lists", "policy.feeds", name in lists)
            for name, urls in feeds.items()
            for url in urls
        ),
        *((one, "a source of lists", "policy.feeds", True) for one in sources),
        (_host(node.upload.url), "the log service", "upload.url", True),
        *(
            (one, "the SIEM", where, True)
            for one, where in siems(settings)
            if settings.syslog_forward
        ),
        (_host(settings.log_proxy), "the log upload proxy", "--log_proxy", True),
        *((one, "an address of the device", where, True) for one, where in settings.further_hosts),
        *(
            (one, "protected by the settings", "policy.protect", True)
            for one in node.policy.protect
        ),
    ]
    found: dict[str, Host] = {}
    for text, what, where, matters in named:
        if text is not None and text not in found:
            one = Host(host=text, what=what, where=where)
            if matters or not one.named:
                found[text] = one
    return list(found.values())


def siems(settings: DeviceSettings) -> Iterator[tuple[str, str]]:
    """Hosts that lines are forwarded to, or would be, and by which option they are set."""
    for one in settings.forward:
        if one.address is not None:
            option = "--forward_address" if one.reader == READER else "--forward_also"
            yield one.address, option


def _host(url: str | None) -> str | None:
    return urlsplit(url).hostname if url else None


def protected(found: Iterable[Host], known: Mapping[str, KnownName]) -> Iterator[Protected]:
    """Every address of theirs that is known."""
    for one in found:
        if not one.named:
            yield Protected(one.host.partition("%")[0], one.what)
        elif one.host in known:
            for address in known[one.host].addresses:
                yield Protected(address, one.what)


def unknown(found: Iterable[Host], known: Mapping[str, KnownName]) -> list[Host]:
    """Those by name of whom no address is known."""
    return [
        one for one in found if one.named and not (one.host in known and known[one.host].addresses)
    ]


def age_words(seconds: float) -> str:
    """How old something is, roughly."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return many(max(0, round(seconds)), "second", "seconds")
