"""
The settings as a page (`docs/operate/settings.md`) and as a sample (`etc/tscm.toml`), made from the code.

`python -m tscm.settings.page docs/operate/settings.md etc/tscm.toml` writes both; a test holds them to what the code says.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import ForwardTarget
from tscm.settings.modules import modules, secret_names
from tscm.settings.node import NodeSettings
from tscm.settings.shapes import table_of
from tscm.settings.sinks import SinkSettings
from tscm.settings.values import allowed

_HEAD = """\
# Settings

This page lists every setting of the manager and of a device, for the person who edits the files or
uses `tsadmin configure`. It is made from the code by
`python -m tscm.settings.page docs/operate/settings.md etc/tscm.toml`; a test compares.

There are two kinds of files, both TOML: one for the manager, one for each device.

- With `--root DIR` (or `TSCM_ROOT`) all paths of this page are below that directory. A path that is
  the value of a setting, such as `ca_file`, is used as it is written.
- A file with errors changes nothing. `tsadmin` and the manager report all errors at once, each with
  its place in the file and what is allowed. A running manager keeps the settings that it has.
- A list may be a TOML list, or one text with blanks between its items. Yes and no are TOML booleans.

## The manager: `/etc/tscm/tscm.toml`

A setting that is absent has its default. `etc/tscm.toml` in the source is a sample with every
setting. A running manager checks the file every few seconds.

| Change | Applied |
| --- | --- |
| `[listen]`, except `ipv6_takes_ipv4` | without a restart |
| most of `[intake]` | without a restart |
| `max_mb_per_device` and `min_free_mb` under `[spool]` | without a restart |
| any other setting, and every change made together with one | at the next restart; the log, `tsadmin status` and `tsadmin doctor` report it |
"""

_DEVICE_HEAD = """\
## A device: `/etc/tscm/devices/NAME.toml`

`tsadmin add` creates this file, `tsadmin configure` changes it. The name of the file is the name of
the device: 1 to 63 letters, digits, `-` and `_`, not starting with `-`. A running manager applies a
change by itself, also one made with an editor or by Ansible. Every setting is an option of `add`
and `configure` too, by its name alone: `--dns_port 5353` (or `--dns-port`), `--prefix`.

At the top are `type` and the settings that every type has. Then comes a table for each part of the
type, then one `[[forward]]` table for each target of forwarding. Earlier versions wrote all settings
at the top, targets as `forward_address`, `forward_port` and so on, and `forward_also`. Such a file
is read as before; the next change by `tsadmin` gives it its tables.

### At the top

"""

_SINK_HEAD = """
### `[[sink]]`: systems that are sent the lines over HTTP or Kafka

One table for each, at the end of the file; [Sinks](sinks.md) shows one of each type.

"""

_FORWARD_HEAD = """
### `[[forward]]`: where lines are forwarded to

One table for each target, used while `syslog_forward` is on. A table stores the name of its reader,
whose cursor records how far the lines are sent. If you change anything else in the table, the
waiting lines go on from there. The options `--forward_address`, `--forward_port` and so on are about
the target with the reader `forward`, `--forward_also` about all others
(`tls://siem.example:6514?framing=octets&server_name=siem.internal`).

"""

_DEVICE_TAIL = """
Without a number for `max_policy_size`, `tsadmin add` takes what the device's platform supports, by
the size of configuration that its REST agent can handle. If the platform is unknown it takes 8,000.

Secrets ({secrets}) are sealed with the
manager's key: `sealed:v1:…` in the file. You may write a secret in the clear; the next change by
`tsadmin` seals it. A sealed value belongs to its device and setting: copied to another place, it
cannot be decrypted.

## The sealing key: `/var/lib/tscm/key`

The key is created with the first device, with mode 0600. A key that is readable by other users is
rejected. A systemd credential named `tscm.key` takes precedence over the file
(`LoadCredential=tscm.key:…`). Keep a copy of the key, but not where the backups of the settings
are: without the key the passwords in them cannot be decrypted, and with it they can be read.
"""

_SAMPLE_HEAD = """\
# Settings of the manager: /etc/tscm/tscm.toml
#
# Every setting is listed here, commented out, with its default.  A setting without a default says so and
# shows an example.  docs/operate/settings.md lists the allowed values.
# Policies require [policy] servers; uploads require [upload] url.
"""


def settings_page() -> str:
    """`docs/operate/settings.md`."""
    parts = [_HEAD, "\n### Without a section\n\n", _table_head(), *_rows(NodeSettings)]
    for one in attrs.fields(NodeSettings):
        kind = one.metadata.get("section")
        if kind is not None:
            parts += [f"\n### `[{one.name}]`: {_plain(one)}\n\n", _table_head(), *_rows(kind)]
    parts += [_SINK_HEAD, _table_head(), *_rows(SinkSettings)]
    parts += ["\n", _DEVICE_HEAD, _table_head(), *_rows(DeviceSettings, ("name", "forward"))]
    classes = dict.fromkeys(cls for one in modules() for cls in _own_classes(one.settings))
    for cls in classes:
        rows = list(_rows(cls, (*_told_elsewhere(cls), "type")))
        if rows:
            parts += [f"\n### `[{cls.TABLE}]`: {_summary(cls)}\n\n", _table_head(), *rows]
    parts += [_FORWARD_HEAD, _table_head(), *_rows(ForwardTarget)]
    parts.append(_DEVICE_TAIL.format(secrets=", ".join(f"`{name}`" for name in secret_names())))
    return "".join(parts)


def _own_classes(cls: type[DeviceSettings]) -> list[type[DeviceSettings]]:
    """The classes of which a kind's settings are made, each with a table of its own."""
    return [
        one
        for one in reversed(cls.__mro__)
        if getattr(one, "TABLE", "") and (one is cls or "TABLE" in vars(one))
    ]


def _told_elsewhere(cls: type[DeviceSettings]) -> tuple[str, ...]:
    """Settings of another table, and those that a class with the same table has just so."""
    tables, bases = (
        table_of(cls),
        [one for one in _own_classes(cls)[:-1] if one.TABLE == cls.TABLE],
    )
    return tuple(
        one.name
        for one in attrs.fields(cls)
        if tables[one.name] != cls.TABLE
        or (one.inherited and any(one.name in attrs.fields_dict(base) for base in bases))
    )


def _summary(cls: type[Any]) -> str:
    first = (cls.__doc__ or "").strip().split("\n")[0].rstrip(".")
    return first[0].lower() + first[1:]


def sample() -> str:
    """`etc/tscm.toml`."""
    lines = [_SAMPLE_HEAD, *_sample_lines(NodeSettings)]
    for one in attrs.fields(NodeSettings):
        kind = one.metadata.get("section")
        if kind is not None:
            lines += [f"\n# {_plain(one)}.\n[{one.name}]\n", *_sample_lines(kind)]
    return "".join(lines)


def default_text(one: "attrs.Attribute[Any]") -> str:
    """The default as TOML; empty where there is none."""
    value = one.default
    if value is attrs.NOTHING or value is None:
        return ""
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, str | HostPort):
        return f'"{value}"'
    assert not isinstance(value, Secret)
    return str(value)


def _table_head() -> str:
    return "| Setting | Default | Allowed | Meaning |\n| --- | --- | --- | --- |\n"


def _rows(kind: type[Any], leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    for one in attrs.fields(kind):
        if "read" not in one.metadata or one.name in leave_out:
            continue
        default = default_text(one)
        shown = "required" if one.default is attrs.NOTHING else "none"
        cells = [
            f"`{one.name}`",
            f"`{default}`" if default else shown,
            allowed(one.metadata["read"]),
            _plain(one),
        ]
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def _sample_lines(kind: type[Any]) -> Iterator[str]:
    for one in attrs.fields(kind):
        if "read" in one.metadata:
            default = default_text(one)
            unset = "" if default else " No default; for example:"
            yield f"\n# {_plain(one)}.{unset}\n"
            example = _EXAMPLES.get(f"{kind.__name__}.{one.name}") or _EXAMPLES.get(one.name, "")
            yield f"# {one.name} = {default or example}\n"


_EXAMPLES = {
    "lists_certificate": '"/etc/tscm/lists.crt"',
    "lists_key": '"/etc/tscm/lists.key"',
    "address": '"192.0.2.1"',
    "bucket": '"firewall-logs"',
    "max_growth_percent": "300",
    "entry_hours": "24",
    "confirm_changes_percent": "10",
    "credentials_file": '"/etc/tscm/s3-keys"',
    "metrics_certificate": '"/etc/tscm/tls/metrics.pem"',
    "metrics_key": '"/etc/tscm/tls/metrics.key"',
    "metrics_account_file": '"/etc/tscm/metrics-account"',
    "tls_certificate": '"/etc/tscm/tls/chain.pem"',
    "tls_key": '"/etc/tscm/tls/key.pem"',
    "tls_client_ca": '"/etc/tscm/tls/clients.pem"',
    "url": '"https://logs.example/v1"',
    "MailSettings.server": '"mail.example"',
    "MailSettings.ca_file": '"/etc/tscm/tls/mail-ca.pem"',
    "user": '"tscm"',
    "password_file": '"/etc/tscm/mail.password"',
    "sender": '"tscm@firewalls.example"',
    "pairing_certificate": '"/etc/tscm/pairing.crt"',
    "pairing_key": '"/etc/tscm/pairing.key"',
    "pairing_url": '"https://portal.example:8444"',
    "ClusterSettings.user": '"m1"',
    "ClusterSettings.ca_file": '"/etc/tscm/cluster-ca.pem"',
    "ClusterSettings.secret_file": '"/etc/tscm/cluster.password"',
    "WebhookSettings.url": '"https://hooks.example/tscm"',
    "WebhookSettings.ca_file": '"/etc/tscm/tls/hooks-ca.pem"',
    "secret_file": '"/etc/tscm/webhook.secret"',
    "HeartbeatSettings.url": '"https://heartbeat.example/tscm"',
    "proxy_user_header": '"X-Remote-User"',
    "oidc_issuer": '"https://login.example/realms/site"',
    "oidc_client": '"tscm"',
    "oidc_secret_file": '"/etc/tscm/oidc.secret"',
    "oidc_ca_file": '"/etc/tscm/tls/login-ca.pem"',
    "folder": '"/var/lib/tscm/backups"',
    "passphrase_file": '"/etc/tscm/backup.passphrase"',
    "audit_ca_file": '"/etc/tscm/siem-ca.pem"',
    "ca_file": '"/etc/tscm/tls/logs.pem"',
    "certificate": '"/etc/tscm/tls/portal.pem"',
    "key": '"/etc/tscm/tls/portal.key"',
}


def _plain(one: "attrs.Attribute[Any]") -> str:
    return str(one.metadata["doc"]).rstrip(".")


def main(arguments: list[str]) -> None:
    """Write page and sample to the two paths given."""
    for path, text in zip(arguments, (settings_page(), sample()), strict=True):
        Path(path).write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
