"""
Address space that no public list should hold.

From the IANA registries of special-purpose addresses (RFC 6890 and its successors), of
multicast (RFC 5771, RFC 4291) and of documentation space (RFC 5737, RFC 3849, RFC 9637).
"""

SPECIAL: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "addresses of this network"),
    ("10.0.0.0/8", "private space"),
    ("100.64.0.0/10", "shared space behind carriers' NAT"),
    ("127.0.0.0/8", "loopback space"),
    ("169.254.0.0/16", "link-local space"),
    ("172.16.0.0/12", "private space"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation space"),
    ("192.168.0.0/16", "private space"),
    ("198.18.0.0/15", "benchmarking space"),
    ("198.51.100.0/24", "documentation space"),
    ("203.0.113.0/24", "documentation space"),
    ("224.0.0.0/4", "multicast space"),
    ("240.0.0.0/4", "reserved space"),
    ("::/96", "unspecified, loopback and IPv4-compatible addresses"),
    ("::ffff:0:0/96", "IPv4-mapped addresses"),
    ("64:ff9b:1::/48", "local-use translation space"),
    ("100::/64", "discard-only space"),
    ("2001:db8::/32", "documentation space"),
    ("3fff::/20", "documentation space"),
    ("fc00::/7", "private space"),
    ("fe80::/10", "link-local space"),
    ("fec0::/10", "site-local space"),
    ("ff00::/8", "multicast space"),
)
