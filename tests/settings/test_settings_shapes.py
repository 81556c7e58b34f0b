"""
One device's settings in every shape in which a file was ever written, and as options.
"""

import tomllib
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.changed import changed
from tscm.base.secrets import Secret, load_key
from tscm.errors import SettingsFaulty
from tscm.kinds.asa.rest.settings import AsaRestSettings, asa_rest
from tscm.settings.files import read_device, write_device
from tscm.settings.forward_target import READER, ForwardTarget
from tscm.settings.forwarding import OPTIONS
from tscm.settings.layout import Layout
from tscm.settings.modules import PACKAGES, module, types
from tscm.settings.pulled import PullSettings
from tscm.settings.shapes import as_options, read_file, read_options

NEEDED: dict[str, Any] = {
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
    "username": "admin",
    "password": "s3cret",
}
FLAT = """\
# the office's firewall
type = "asarest"
device_id = "tdid_abcd1234"
device = "192.0.2.10"  # behind the VPN
block_list = "block.example"
allow_list = "allow.example"
username = "admin"
password = "s3cret"
# agreed with the firewall team
prefix = "TS"  # short
token_auth = "no"
max_policy_size = 9000
syslog_sources = "192.0.2.11, 192.0.2.12"
syslog_forward = "yes"
forward_address = "192.0.2.30"
forward_port = 1514
forward_protocol = "TCP"
forward_ca_file = "/etc/ca.pem"
forward_also = ["tls://SIEM.example:6514?mode=rfc5424&framing=octets", "tcp://192.0.2.9:514"]
access_lists = ["outside_in"]
"""
TABLES = """\
type = "asarest"
device_id = "tdid_abcd1234"
device = "192.0.2.10"
block_list = "block.example"
allow_list = "allow.example"
syslog_sources = ["192.0.2.11", "192.0.2.12"]
syslog_forward = true

[asa]
username = "admin"
password = "s3cret"
prefix = "TS"
max_policy_size = 9000
access_lists = ["outside_in"]

[asarest]
token_auth = false

[[forward]]
reader = "forward"
address = "192.0.2.30"
port = 1514
protocol = "TCP"
ca_file = "/etc/ca.pem"

[[forward]]
reader = "forward-MAIN"
address = "siem.example"
port = 6514
protocol = "TLS"
mode = "rfc5424"
framing = "octets"
ca_file = "/etc/ca.pem"

[[forward]]
reader = "forward-NEXT"
address = "192.0.2.9"
protocol = "TCP"
ca_file = "/etc/ca.pem"
"""


EVER: dict[str, Any] = {
    **NEEDED,
    "type": "asarest",
    "name": "office",
    "prefix": "TS",
    "token_auth": False,
    "allow_self_signed": True,
    "max_policy_size": 9000,
    "send_logs": False,
    "dns_port": 5353,
    "syslog_sources": ("192.0.2.11",),
    "log_rotate_size": 50,
    "policy_updates": False,
    "syslog_forward": True,
    "forward_address": "192.0.2.30",
    "forward_port": 1514,
    "forward_protocol": "TLS",
    "forward_mode": "rfc5424",
    "forward_framing": "octets",
    "forward_ca_file": "/etc/ca.pem",
    "forward_lines_per_second": 7,
    "forward_resend_kb": 8,
    "forward_also": ("tcp://192.0.2.9:514?mode=header",),
    "backlog": "drop",
    "log_proxy": "http://192.0.2.3:3128",
    "log_proxy_user": "u",
    "log_proxy_password": "q",
    "ha_members": ("192.0.2.12",),
    "rest_url": "https://192.0.2.10:8443/api",
    "object_group_size": 500,
    "ca_file": "/etc/asa.pem",
    "fingerprint": "ab" * 32,
    "access_lists": ("outside_in",),
    "tls_fingerprints": ("cd" * 32,),
    "upload_key": "k",
    "tsig_name": "t.example",
    "tsig_key": "dA==",
    "allow_special": True,
    "entry": "0123456789ab",
}
"""Every setting that a version with flat files ever had."""


def named_for(place: str) -> str:
    return f"{READER}-{crc32(place.encode()):08x}"


TABLES = TABLES.replace("forward-MAIN", named_for("SIEM.example:6514")).replace(
    "forward-NEXT", named_for("192.0.2.9:514")
)


def settings_in(text: str) -> AsaRestSettings:
    settings, faults = read_file({**tomllib.loads(text), "name": "office"})
    assert settings is not None, faults
    return asa_rest(settings)


def wrong_in(text: str) -> list[str]:
    settings, faults = read_file({**tomllib.loads(text), "name": "office"})
    assert settings is None
    return [str(one) for one in faults]


def test_a_flat_file_says_the_same_as_one_with_tables() -> None:
    assert settings_in(FLAT) == settings_in(TABLES)


def test_every_setting_of_a_flat_file_is_taken_over(tmp_path: Path) -> None:
    settings, faults = read_file(EVER)
    assert settings is not None, faults
    found = as_options(settings)
    for name, value in EVER.items():
        told = found[name].reveal() if isinstance(found[name], Secret) else found[name]
        assert told == value, name
    layout = Layout(tmp_path)
    key = load_key(layout.key, create=True)
    write_device(layout, settings, key)
    assert read_device(layout, "office", key) == settings
    assert {(one.ca_file, one.lines_per_second, one.resend_kb) for one in settings.forward} == {
        ("/etc/ca.pem", 7, 8)
    }


def test_a_file_without_a_type_is_of_the_first_one() -> None:
    assert settings_in(FLAT.replace('type = "asarest"\n', "")) == settings_in(FLAT)


def test_the_next_change_gives_a_flat_file_its_tables(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = layout.device_file("office")
    path.parent.mkdir(parents=True)
    path.write_text(FLAT)
    before = read_device(layout, "office", None)
    key = load_key(layout.key, create=True)

    write_device(layout, before, key)

    text = path.read_text()
    assert read_device(layout, "office", key) == before
    table = tomllib.loads(text)
    assert table["asa"]["prefix"] == "TS"
    assert table["asa"]["password"].startswith("sealed:")
    assert table["asarest"]["token_auth"] is False
    assert [one["reader"] for one in table["forward"]] == [one.reader for one in before.forward]
    assert not set(table) & {"prefix", "token_auth", "password", *OPTIONS}
    for comment in ("# the office's firewall", "# behind the VPN", "# short"):
        assert comment in text

    write_device(layout, before, key)

    assert path.read_text() == text, "a second time nothing changes"


def test_a_secret_that_was_sealed_at_the_top_opens_in_its_table(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    key = load_key(layout.key, create=True)
    sealed = key.seal(Secret("s3cret"), "office.password")
    path = layout.device_file("office")
    path.parent.mkdir(parents=True)
    path.write_text(FLAT.replace('"s3cret"', f'"{sealed}"'))

    write_device(layout, read_device(layout, "office", key), key)

    assert tomllib.loads(path.read_text())["asa"]["password"] == sealed
    assert asa_rest(read_device(layout, "office", key)).password == Secret("s3cret")


def test_comments_in_the_table_of_a_target_stay(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    key = load_key(layout.key, create=True)
    path = layout.device_file("office")
    path.parent.mkdir(parents=True)
    path.write_text(TABLES.replace('"192.0.2.30"', '"192.0.2.30"  # rack 4'))

    settings = changed(read_device(layout, "office", key), forward_port=1515)
    write_device(layout, settings, key)

    assert "# rack 4" in path.read_text()
    assert read_device(layout, "office", key) == settings


def test_a_target_that_moves_keeps_its_reader_where_its_table_is_changed() -> None:
    moved = settings_in(TABLES.replace("siem.example", "new.example"))
    assert [one.reader for one in moved.forward] == [
        one.reader for one in settings_in(TABLES).forward
    ]


def test_options_keep_the_reader_of_a_target_that_stays_at_its_place() -> None:
    present = settings_in(TABLES)
    names = {one.place: one.reader for one in present.forward}
    also = ("tcp://192.0.2.9:514?mode=header", "tcp://192.0.2.99:514")
    others = changed(present, forward_also=also)
    assert [one.reader for one in others.forward] == [
        READER,
        names["192.0.2.9:514"],
        named_for("192.0.2.99:514"),
    ]
    assert changed(others, forward_also=also[::-1]).forward[1:] == others.forward[:0:-1]
    again = changed(present, forward_address="192.0.2.77", forward_ca_file="/etc/new.pem")
    assert again.forward[0].reader == READER
    assert {one.ca_file for one in again.forward} == {"/etc/new.pem"}
    assert [one.reader for one in again.forward] == [one.reader for one in present.forward]


def test_two_targets_at_one_place_have_two_readers() -> None:
    urls = ("tcp://192.0.2.9:514", "udp://192.0.2.9:514", "udp://192.0.2.9:514?mode=header")
    settings, _ = read_options({**NEEDED, "name": "office", "forward_also": urls})
    assert settings is not None
    names = [one.reader for one in settings.forward]
    assert names == [named_for("192.0.2.9:514"), named_for(urls[1]), named_for(urls[2])]


def test_what_waits_for_an_address_is_kept() -> None:
    settings, _ = read_options({**NEEDED, "name": "office", "forward_port": 1514})
    assert settings is not None
    assert settings.forward == (ForwardTarget(reader=READER, port=1514),)
    assert as_options(changed(settings, forward_address="192.0.2.9"))["forward_port"] == 1514


def test_each_option_of_a_target_has_its_place() -> None:
    given = {
        "forward_address": "siem.example",
        "forward_protocol": "TLS",
        "forward_server_name": "siem.internal",
        "forward_certificate": "/etc/ours.pem",
        "forward_key": "/etc/ours.key",
        "forward_also": ("tls://192.0.2.9:6514?server_name=b.example&certificate=/etc/a%20b.pem",),
    }
    settings, faults = read_options({**NEEDED, "name": "office", **given})
    assert settings is not None, faults
    first, second = settings.forward
    assert (first.server_name, first.certificate, first.key) == (
        "siem.internal",
        "/etc/ours.pem",
        "/etc/ours.key",
    )
    assert (second.server_name, second.certificate) == ("b.example", "/etc/a b.pem")
    assert {name: as_options(settings)[name] for name in given} == given


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[asa]\n", "[asa]\nprefx = 1\n", "asa.prefx: unknown setting (did you mean pref"),
        ('"TS"', '"T S"', "asa.prefix: 'T S' is not an object-group prefix"),
        ("port = 6514", 'port = "x"', "forward[1].port: 'x' is not a whole number"),
        ("syslog_forward", 'prefix = "A"\nsyslog_forward', "asa.prefix: stands at the top too"),
        ("syslog_forward", "forward_port = 9\nsyslog_forward", "forward_port: stands beside [[for"),
        (
            '"asarest"',
            '"toaster"',
            "type: 'toaster' is not a device type; allowed: asa, asahttp, asarest",
        ),
        ("[asarest]\ntoken_auth = false", "asarest = 3", "asa.asarest: unknown setting"),
        (named_for("192.0.2.9:514"), "forward", "forward[2].reader: forward is another target's"),
        (named_for("192.0.2.9:514"), "events", "forward[2].reader: 'events' is no reader's name"),
        ("syslog_forward", "syslog_forwad = 1\nsyslog_forward", "syslog_forwad: unknown setting"),
    ],
)
def test_a_fault_is_told_by_its_place_in_the_file(old: str, new: str, said: str) -> None:
    found = wrong_in(TABLES.replace(old, new, 1))
    assert any(one.startswith(said) for one in found), found


def test_several_faults_are_told_at_once() -> None:
    text = TABLES.replace('"TS"', '"T S"').replace("port = 6514", "port = 0")
    assert len(wrong_in(text.replace("token_auth = false", "token_auth = 7"))) == 3


def test_a_table_that_an_operator_writes_needs_no_reader() -> None:
    text = "\n".join(line for line in TABLES.splitlines() if not line.startswith("reader"))
    names = [one.reader for one in settings_in(text).forward]
    assert names[0] == READER
    assert len(set(names)) == 3


TARGETS = st.lists(
    st.builds(
        ForwardTarget,
        address=st.sampled_from(["192.0.2.1", "siem.example", "2001:db8::1"]),
        port=st.sampled_from([514, 6514]),
        protocol=st.sampled_from(["UDP", "TCP", "TLS"]),
        mode=st.sampled_from(["as-received", "header"]),
        server_name=st.sampled_from([None, "a.example"]),
        certificate=st.sampled_from([None, "/etc/a b&c=%.pem"]),
    ),
    max_size=4,
    unique_by=lambda one: one.url(),
)


@given(TARGETS)
def test_a_target_comes_back_from_its_url(targets: list[ForwardTarget]) -> None:
    also = tuple(one.url() for one in targets)
    settings, faults = read_options({**NEEDED, "name": "office", "forward_also": also})
    assert settings is not None, faults
    assert [attrs.evolve(one, reader="") for one in settings.forward] == targets
    assert as_options(settings)["forward_also"] == also
    assert changed(settings, log_rotate_size=60).forward == settings.forward


def test_the_kinds_of_this_package_are_its_entry_points() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert set(project["project"]["entry-points"]["tscm.modules"]) == set(PACKAGES)
    assert set(PACKAGES) <= set(types())
    for one, package in PACKAGES.items():
        kind = module(one)
        pulls = issubclass(kind.settings, PullSettings)
        assert (kind.type, kind.module) == (one, package)
        assert package == ("ts-lists" if pulls else f"ts-{one}")


def test_a_damaged_file_is_refused_and_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = layout.device_file("office")
    path.parent.mkdir(parents=True)
    path.write_text(TABLES + "\n[asarest.deeper]\nx = 1\n")
    with pytest.raises(SettingsFaulty, match=r"asarest\.deeper"):
        read_device(layout, "office", None)


@pytest.mark.parametrize("type_", [[], {}, 7, None, True, ["asarest"]])
def test_a_type_that_is_no_text_is_refused_in_a_sentence(type_: Any) -> None:
    for read in (read_file, read_options):
        settings, faults = read({**NEEDED, "name": "office", "type": type_})
        assert settings is None
        assert [one.where for one in faults] == ["type"]
