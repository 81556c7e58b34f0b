"""
Which requests are looked at: judged by their head alone.  Pure.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

COOKIE = "__Host-tscm"
"""The prefix keeps it to this host, to HTTPS and to the path / (RFC 6265bis, 4.1.3.2)."""
ATTEMPT_COOKIE = "__Host-tscm-login"
"""Of a login in progress at the OpenID Connect provider."""
_ATTEMPT = re.compile(r"[A-Za-z0-9_=-]{1,3800}")
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")
_NEXT_MOST = 2000


def own_origins(url: str | None, listen: Collection[str]) -> frozenset[str]:
    """What a browser calls the page: origins (RFC 6454) of *url* and of the listen addresses."""
    found = {f"https://{at}" for at in listen}
    found |= {f"https://localhost:{at.rpartition(':')[2]}" for at in listen}
    if url is not None:
        parts = urlsplit(url)
        found.add(f"https://{parts.netloc.lower()}")
    return frozenset(one.removesuffix(":443") for one in found)


def own_names(url: str | None) -> frozenset[str]:
    """Names that the Host header may hold besides addresses and localhost."""
    host = urlsplit(url).hostname if url is not None else None
    return frozenset({host} if host else ())


def cross_site_fault(site: str | None, origin: str | None, own: Collection[str]) -> str | None:
    """
    Why a request that changes something was not made by our own pages, or None.

    *site* is Sec-Fetch-Site, which no script can set (W3C Fetch Metadata); *origin* stands in for browsers that do
    not send it.  Neither of them: refused.
    """
    if site is not None:
        if site in {"same-origin", "none"}:
            return None
        return "the request comes from a page of another site"
    if origin is None:
        return "the request does not say which page it comes from (no Origin header)"
    if origin.lower() in own:
        return None
    return (
        "the request comes from a page of another site, or [web] url in the settings is not "
        "the address by which this page was opened"
    )


def user_of_proxy(names: Collection[str], address: str, proxies: Collection[str]) -> str | None:
    """
    The user whom a trusted proxy names in its header, or None without one.

    Raises `ValueError` where the header is not to be believed: it is rejected and never ignored, because a client that
    sends it tries to be another one.
    """
    if not names:
        return None
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        found = None
    mapped = getattr(found, "ipv4_mapped", None)
    if str(mapped or found) not in proxies:
        raise ValueError(
            f"the request from {address} names a user in a header that only the proxies under "
            "[web] proxy_addresses may send"
        )
    if len(names) != 1 or not next(iter(names)).strip():
        raise ValueError("the proxy does not name exactly one user")
    return next(iter(names)).strip()


def session_in(cookies: Collection[bytes]) -> str | None:
    """The session's key in Cookie headers, if one has the form of ours."""
    return _cookie_in(cookies, COOKIE, _SESSION)


def attempt_in(cookies: Collection[bytes]) -> str | None:
    """The sealed attempt of a login in Cookie headers."""
    return _cookie_in(cookies, ATTEMPT_COOKIE, _ATTEMPT)


def _cookie_in(cookies: Collection[bytes], wanted: str, form: re.Pattern[str]) -> str | None:
    for header in cookies:
        for part in header.decode("latin-1").split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted and form.fullmatch(value):
                return value
    return None


def place_within(wanted: str) -> str:
    """*wanted* if it is a path of this very site, otherwise `/`: for the way back after a login."""
    good = (
        len(wanted) <= _NEXT_MOST
        and wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isascii()
        and wanted.isprintable()
    )
    return wanted if good else "/"
