"""
A block and an allow list as each consumer reads them.

Pure and stable: the same networks give the same bytes, whatever the device and the time.  Where a list has no entry,
its rendering holds one address of documentation space (RFC 5737), since a consumer keeps its old data when it
reads a list without any.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import frozen

from tscm.model import Cidr
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER
from tscm.services.publication import PLAIN_ALLOW, PLAIN_BLOCK, TEXT, Body

CSV = "text/csv; charset=utf-8"
_V4_HOST, _V6_HOST = "/32", "/128"
_IMPORTS_OUTLIVED = 3
_CSV_HEAD = "# UNIQ-NAME,VALUE,TYPE,CONFIDENCE,SEVERITY,PRODUCT,COMMENT"

Network = IPv4Network | IPv6Network


@frozen(kw_only=True)
class Lists:
    """
    What is to be rendered: *block* without what the allow list covers.

    A consumer needs no second list then for an allowed address to pass.
    """

    block: CidrSet
    allow: CidrSet
    prefix: str = "ThreatSTOP"
    minutes: int = 60

    @classmethod
    def of(cls, block: CidrSet, allow: CidrSet, prefix: str, minutes: int) -> "Lists":
        """From the lists as policy has them."""
        return cls(block=block.difference(allow), allow=allow, prefix=prefix, minutes=minutes)


Render = Callable[[Lists], Mapping[str, Body]]


def plain(cidr: str) -> str:
    """An address alone where the network is one: every consumer reads that."""
    return cidr.removesuffix(_V6_HOST if ":" in cidr else _V4_HOST)


def as_range(cidr: str) -> str:
    """First and last address, `A-B`."""
    network = ip_network(cidr)
    return f"{network[0]}-{network[-1]}"


def halves(cidrs: Iterable[Cidr]) -> Iterator[Cidr]:
    """The same without a network of length 0, which FMC refuses: two halves stand for it."""
    for one in cidrs:
        if one.endswith("/0"):
            yield from (Cidr(str(half)) for half in ip_network(one).subnets())
        else:
            yield one


def lines(head: Iterable[str], rows: Iterable[str]) -> bytes:
    """Lines that each end in LF."""
    return "".join(f"{line}\n" for line in (*head, *rows)).encode()


def _text(cidrs: list[Cidr], *head: str) -> Body:
    rows = (plain(one) for one in cidrs or (PLACEHOLDER,))
    return Body(lines(head, rows), TEXT, len(cidrs))


def generic(lists: Lists) -> Mapping[str, Body]:
    """One address or network a line, and nothing else."""
    return {
        PLAIN_BLOCK: _text(lists.block.cidrs()),
        PLAIN_ALLOW: _text(lists.allow.cidrs()),
    }


def _commented(kind: str, cidrs: list[Cidr]) -> Body:
    return _text(cidrs, f"# {kind} list, {many(len(cidrs), 'entry', 'entries')}")


def panos(lists: Lists) -> Mapping[str, Body]:
    """
    The same with a comment behind the first entry: PAN-OS allows none on a line of its own.
    """
    return {
        PLAIN_BLOCK: _remarked("block", lists.block.cidrs()),
        PLAIN_ALLOW: _remarked("allow", lists.allow.cidrs()),
    }


def _remarked(kind: str, cidrs: list[Cidr]) -> Body:
    first, *rest = (plain(one) for one in cidrs or (PLACEHOLDER,))
    remark = f"{first} # {kind} list, {many(len(cidrs), 'entry', 'entries')}"
    return Body(lines([remark], rest), TEXT, len(cidrs))


def firepower(lists: Lists) -> Mapping[str, Body]:
    """For Security Intelligence: no network of length 0."""
    return {
        PLAIN_BLOCK: _commented("block", list(halves(lists.block.cidrs()))),
        PLAIN_ALLOW: _commented("allow", list(halves(lists.allow.cidrs()))),
    }


def checkpoint(lists: Lists) -> Mapping[str, Body]:
    """A network feed, and the CSV of custom intelligence (sk132193), which has ranges of IPv4 alone."""
    cidrs = lists.block.cidrs()
    rows = [found for one in cidrs or [PLACEHOLDER] if (found := _observable(one)) is not None]
    named = len(rows) if cidrs else 0
    if not rows:
        rows = [_observable(PLACEHOLDER) or ""]
    csv = Body(lines([_CSV_HEAD], rows), CSV, named, len(cidrs) - named)
    return {**generic(lists), "block.csv": csv}


def _observable(cidr: Cidr) -> str | None:
    """A row of the CSV, named by its network so that the name stays; None for a network of IPv6."""
    alone = plain(cidr)
    if "/" not in alone:
        value, kind = alone, "IP"
    elif ":" in alone:
        return None
    else:
        value, kind = as_range(cidr), "IP Range"
    name = "ts_" + cidr.translate(_IN_NAMES)
    return f"{name},{value},{kind},high,high,AB,block list"


_IN_NAMES = str.maketrans({".": "_", ":": "_", "/": "_"})


def mikrotik(lists: Lists) -> Mapping[str, Body]:
    """
    Scripts for `/import`, beside the plain lists.

    An entry gets a time-out that outlives two imports that fail, and each import renews it: so nothing is written to
    flash, an entry that has left the list goes by itself, and at no moment the list is empty.
    """
    timeout = f"{_IMPORTS_OUTLIVED * lists.minutes}m"
    return {
        **generic(lists),
        **{
            f"{kind.lower()}.rsc": _script(f"{lists.prefix}-{kind}", cidrs, timeout)
            for kind, cidrs in (("Block", lists.block.cidrs()), ("Allow", lists.allow.cidrs()))
        },
    }


def _script(name: str, cidrs: list[Cidr], timeout: str) -> Body:
    rows = (_import_line(name, one, timeout) for one in cidrs or (PLACEHOLDER,))
    head = f"# address list {name}, {len(cidrs)} entries"
    return Body(lines([head], rows), TEXT, len(cidrs))


def _import_line(name: str, cidr: Cidr, timeout: str) -> str:
    """Adds an entry, or renews the one that is there: `add` fails for it, and would end the import."""
    v6 = ":" in cidr
    menu = f"/{'ipv6' if v6 else 'ip'} firewall address-list"
    address = cidr if v6 else plain(cidr)
    return (
        f":do {{ {menu} add list={name} address={address} timeout={timeout} }} on-error="
        f"{{ {menu} set [find list={name} address={address}] timeout={timeout} }}"
    )


def networks_of(content: bytes) -> CidrSet:
    """
    What a plain list names, without placeholder and comments.  Raises `ValueError`.
    """
    rows = (line.partition("#")[0].strip() for line in content.decode().splitlines())
    found = [row for row in rows if row]
    return CidrSet.of_texts(one for one in found if one != plain(PLACEHOLDER))
