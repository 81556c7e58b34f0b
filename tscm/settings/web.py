"""
Settings of the page: where it listens, by which name browsers know it, what its users may do.
"""

import re
from typing import Any

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.schema import setting

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_NOT_FOR_USERS = {"authorization", "cookie", "host", "origin", "sec-fetch-site"}


def header_name(value: Any) -> str:
    """The name of a request header that nothing else uses."""
    good = isinstance(value, str) and _HEADER.fullmatch(value)
    if not good or value.lower() in _NOT_FOR_USERS:
        raise values.refused(value, "is not a header for a user name", "X-Remote-User and the like")
    return str(value)


@frozen(kw_only=True)
class WebSettings:
    """`[web]`: the page, served by `twistd tscm-web` or by the manager itself."""

    listen: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (HostPort("127.0.0.1", 9443),),
        doc="Listen addresses of the page (HTTPS).",
    )
    inside: bool = setting(
        values.yes_no,
        False,
        doc="Whether the manager serves the page itself, without a process `tscm-web`.",
    )
    url: str | None = setting(
        values.optional(values.web_url("https")),
        None,
        doc=(
            "URL by which browsers open the page, if that is not a listen address; requests for "
            "other host names are rejected."
        ),
    )
    certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc=(
            "Certificate and chain of the page, PEM, reloaded when the file changes; if not set, "
            "one is created: /var/lib/tscm/web/page.crt."
        ),
    )
    key: str | None = setting(values.optional(values.path), None, doc="Its key.")
    idle_minutes: int = setting(
        values.whole(1, 1440), 30, doc="Time without a request after which a session ends."
    )
    session_hours: int = setting(
        values.whole(1, 168), 12, doc="Maximum length of a session, whatever happens in it."
    )
    analyst_hours: int = setting(
        values.whole(1, 8760),
        24,
        doc="Maximum time for which an analyst may allow or block an address.",
    )
    proxy_user_header: str | None = setting(
        values.optional(header_name),
        None,
        doc=(
            "Header in which a reverse proxy names the user that it has signed in; a request from "
            "any other address that has this header is rejected."
        ),
    )
    proxy_addresses: tuple[str, ...] = setting(
        values.many(values.ip_address),
        (),
        doc="IP addresses of the proxies that proxy_user_header is accepted from.",
    )
    idle_exit_seconds: int = setting(
        values.whole(0, 86400),
        600,
        doc=(
            "Time without a connection after which `tscm-web` ends, if systemd holds its sockets "
            "and starts it again for the next request (0: never)."
        ),
    )
    oidc_issuer: str | None = setting(
        values.optional(values.web_url("https")),
        None,
        doc=(
            "Issuer of the OpenID Connect provider that users may sign in with, besides the users "
            "of the page; needs oidc_client and url, and the extra `oidc`."
        ),
    )
    oidc_client: str | None = setting(
        values.optional(values.text),
        None,
        doc="Client ID of the page at the provider; the redirect URI is url with /login/oidc/done.",
    )
    oidc_secret_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with the client secret; not set for a public client.",
    )
    oidc_ca_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="CA certificates for the provider, PEM, instead of those of the system.",
    )
    oidc_name_claim: str = setting(
        values.text, "preferred_username", doc="Claim of the ID token with the user name."
    )
    oidc_roles_claim: str = setting(
        values.text,
        "groups",
        doc="Claim of the ID token, a text or a list of texts, that gives the role.",
    )
    oidc_admins: tuple[str, ...] = setting(
        values.many(values.text), (), doc="Values of oidc_roles_claim that give the role admin."
    )
    oidc_operators: tuple[str, ...] = setting(
        values.many(values.text), (), doc="Values that give the role operator."
    )
    oidc_analysts: tuple[str, ...] = setting(
        values.many(values.text), (), doc="Values that give the role analyst."
    )
    oidc_viewers: tuple[str, ...] = setting(
        values.many(values.text), (), doc="Values that give the role viewer."
    )
