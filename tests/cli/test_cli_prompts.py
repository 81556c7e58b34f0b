"""
The questions at a terminal, word for word.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Options, Start, Stored, Tsadmin

BASIC = [
    ("Device ID (tdid) : ", "tdid_abcd1234"),
    ("Device Management IP address : ", "192.0.2.10"),
    ("Block list name : ", "block.example"),
    ("Allow list name : ", "allow.example"),
    ("[default ThreatSTOP] ", ""),
    ("Token Auth? (yes or no) [default yes] ", ""),
    ("Allow Self-Signed Certificates? (yes or no; yes is not safe) [default no] ", ""),
    ("[default auto] ", ""),
    ("Send logs to ThreatSTOP? (yes or no) [default yes] ", ""),
    ("Device username : ", "api"),
    ("Device password : ", "s3cret"),
]
KEY = (
    "Device key at the log service https://127.0.0.1:2 : (hidden; Enter for none) [default none] ",
    "",
)
ADVANCED = [
    ("Advanced settings\nDNS port : (53 (standard) or 5353) [default 53] ", "5353"),
    (
        "Please enter all additional syslog source IP(s). Use none for none.\n"
        "  Separate multiple entries with a space : [default none] ",
        "192.0.2.21 192.0.2.22",
    ),
    ("Log rotate size : (in Kb, minimum 50) [default 100] ", "50"),
    ("Enable policy updates? (y or n) [default y] ", ""),
    ("Enable syslog forward? (y or n) [default n] ", "y"),
    ("Syslog forward IP address : ", "192.0.2.30"),
    ("Syslog forward port : [default 514] ", "1514"),
    ("Syslog forward protocol : (UDP, TCP or TLS) [default UDP] ", "tcp"),
    ("Log upload proxy ( e.g. '', 'none' for none)?\n  [default none] ", "http://192.0.2.40:3128"),
    ("Log upload proxy user : (none for none) [default none] ", "pu"),
    ("Log upload proxy password : ", "pr0xy"),
    (
        "Is this device part of an HA/cluster setup?\n"
        "  If so, enter the additional IP(s) (space-separated),\n"
        '  or "none" for no HA : [default none] ',
        "",
    ),
    (
        "Custom REST API URL: (Custom REST API URL if it is non-standard\n"
        "  https://<device_ip>/api. If unsure leave default value 'auto'.)\n"
        "  [default auto] ",
        "",
    ),
    (
        "Object-Group Size: (The number of CIDRs in the nested Object-Group(s).)\n"
        "  [default 10000] ",
        "",
    ),
    ("[INFO ] : Object Group size set to [10,000]\n", None),
]


AGAIN = "Correct the answers and try again? (y or n) [default y] "


def answer(child: Any, dialogue: Sequence[tuple[str, str | None]]) -> None:
    for prompt, reply in dialogue:
        child.expect_exact(prompt.replace("\n", "\r\n"))
        if reply is not None:
            child.sendline(reply)


def ended(child: Any) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    return child.exitstatus, child.before


def test_add_asks_in_order_and_stores(tsadmin: "Tsadmin", start: "Start") -> None:
    child = start("add", "--type", "asarest", "tstest")
    answer(child, [*BASIC, KEY])
    status, rest = ended(child)

    assert status == 0
    assert "Device tstest added" in rest
    assert "Advanced settings" not in rest
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["device"] == "192.0.2.10"
    assert settings["max_policy_size"] == 9000


def test_the_advanced_questions_are_literal(tsadmin: "Tsadmin", start: "Start") -> None:
    child = start("add", "--type", "asarest", "--advanced", "tstest")
    answer(child, [*BASIC, *ADVANCED, KEY])
    status, _ = ended(child)

    assert status == 0
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["dns_port"] == 5353
    assert settings["syslog_sources"] == ["192.0.2.21", "192.0.2.22"]
    assert settings["log_rotate_size"] == 50
    assert settings["syslog_forward"] is True
    assert settings["forward_address"] == "192.0.2.30"
    assert settings["forward_port"] == 1514
    assert settings["forward_protocol"] == "TCP"
    assert settings["log_proxy"] == "http://192.0.2.40:3128"
    assert settings["log_proxy_user"] == "pu"
    assert settings["log_proxy_password"] == "********"
    assert settings["object_group_size"] == 10000


def test_the_questions_are_those_of_the_module_too(start: "Start") -> None:
    child = start("add", "--type", "asarest", fakes=False)
    answer(
        child,
        [
            ("Device name : (letters, digits, '-' and '_') ", "tstest"),
            *BASIC,
            KEY,
            (
                "[ERROR] : block or allow list [block.example] could not be fetched "
                "from ThreatSTOP DNS servers: ",
                None,
            ),
            (AGAIN, "n"),
        ],
    )
    status, _ = ended(child)

    assert status == 1


def test_a_password_is_not_echoed(start: "Start") -> None:
    child = start("add", "--type", "asarest", "tstest")
    log: list[str] = []
    child.logfile_read = type("Log", (), {"write": log.append, "flush": lambda _: None})()
    answer(child, [*BASIC, KEY])
    ended(child)

    assert "s3cret" not in "".join(log)


def test_a_wrong_answer_is_explained_and_asked_again(
    tsadmin: "Tsadmin", options: "Options", start: "Start"
) -> None:
    child = start("add", "--type", "asarest", "--advanced", *options(), "tstest")
    answer(
        child,
        [
            ("DNS port : (53 (standard) or 5353) [default 53] ", "80"),
            (
                "[ERROR] : '80' is not a port of the policy service; allowed: 53 (standard) or 5353",
                None,
            ),
            ("DNS port : (53 (standard) or 5353) [default 53] ", ""),
            ("Use none for none.", "x!"),
            ("is neither an IP address nor a host name", None),
            ("with a space : [default none] ", "none"),
            ("(in Kb, minimum 50) [default 100] ", "49"),
            ("is out of range; allowed: a whole number from 50", None),
            ("(in Kb, minimum 50) [default 100] ", "1,000"),
            ("Enable policy updates? (y or n) [default y] ", "perhaps"),
            ("allowed: yes, no, y, n", None),
            ("Enable policy updates? (y or n) [default y] ", "n"),
            ("Enable syslog forward? (y or n) [default n] ", ""),
            ("[default none] ", "https://192.0.2.9:3128"),
            ("is an https proxy, which is not supported; allowed: http://address:port", None),
            ("[default none] ", "''"),
            ("[default none] ", ""),
            ("[default auto] ", ""),
            ("[default 10000] ", "0"),
            ("allowed: a whole number from 1", None),
            ("[default 10000] ", "500"),
            ("[INFO ] : Object Group size set to [500]\n", None),
            KEY,
        ],
    )
    status, _ = ended(child)

    assert status == 0
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["policy_updates"] is False
    assert settings["log_rotate_size"] == 1000
    assert settings["log_proxy"] is None


def test_one_list_for_both_is_asked_again(start: "Start") -> None:
    child = start("add", "--type", "asarest", "tstest")
    answer(
        child,
        [
            *BASIC[:3],
            ("Allow list name : ", "Block.Example."),
            ("this is the block list; name a different list", None),
            *BASIC[3:],
            KEY,
        ],
    )

    assert ended(child)[0] == 0


def test_what_would_fail_anyway_is_told_before_the_questions(start: "Start", root: Path) -> None:
    (root / "etc/tscm/tscm.toml").write_text("")
    status, said = ended(start("add", "--type", "asarest", "tstest"))

    assert status == 2
    assert "no policy server is configured" in said
    assert "Device ID" not in said


def test_a_name_that_is_taken_is_asked_again(add: "Add", start: "Start") -> None:
    add()
    child = start("add", "--type", "asarest")
    answer(
        child,
        [
            ("Device name : ", "tstest"),
            ("a device named 'tstest' already exists; choose another name", None),
            ("Device name : ", "../x"),
            ("allowed: 1 to 63 letters", None),
            ("Device name : ", "other"),
            ("Device ID (tdid) : ", "tdid_b"),
        ],
    )
    child.sendeof()
    status, rest = ended(child)

    assert status == 2
    assert "the input ended at the prompt" in rest


def test_configure_shows_the_present_values(add: "Add", start: "Start") -> None:
    add(dns_port="5353", prefix="TS")
    child = start("configure", "tstest", "--advanced")
    answer(
        child,
        [
            ("Device ID (tdid) : [default tdid_abcd1234] ", ""),
            ("Device Management IP address : [default 192.0.2.10] ", ""),
            ("Block list name : [default block.example] ", ""),
            ("Allow list name : [default allow.example] ", "empty.example"),
            ("[default TS] ", ""),
            ("[default yes] ", ""),
            ("[default no] ", ""),
            ("[default 9000] ", ""),
            ("[default yes] ", ""),
            ("Device username : [default api] ", ""),
            ("Device password : [default unchanged] ", ""),
            ("DNS port : (53 (standard) or 5353) [default 5353] ", ""),
            ("[default none] ", "192.0.2.21"),
            ("[default 100] ", ""),
            ("[default y] ", ""),
            ("[default n] ", ""),
            ("[default none] ", ""),
            ("[default none] ", ""),
            ("[default auto] ", ""),
            ("[default 10000] ", ""),
            KEY,
        ],
    )
    status, rest = ended(child)

    assert status == 0
    assert "changed allow_list, syslog_sources" in rest


def test_an_interrupt_ends_without_a_traceback(start: "Start") -> None:
    child = start("add", "--type", "asarest", "tstest")
    child.expect_exact("Device ID (tdid) : ")
    child.sendintr()
    status, rest = ended(child)

    assert status == 130
    assert "[ERROR] : interrupted" in rest


def test_remove_asks_first(tsadmin: "Tsadmin", add: "Add", start: "Start") -> None:
    add()
    child = start("remove", "tstest")
    answer(child, [("Remove device tstest? (y or n) [default n] ", "")])
    assert ended(child)[0] == 1
    child = start("remove", "tstest")
    answer(child, [("Remove device tstest? (y or n) [default n] ", "y")])
    status, rest = ended(child)

    assert status == 0
    assert (
        rest.index("no access-list") < rest.index("no object-group") < rest.index("no logging host")
    )
    assert "tstest" not in tsadmin("list").out


def test_answers_that_fail_at_the_check_are_asked_again_with_themselves_as_defaults(
    tsadmin: "Tsadmin", stored: "Stored", start: "Start"
) -> None:
    child = start("add", "--type", "asarest", "tstest")
    first = [
        (prompt, {"192.0.2.10": "192.0.2.66", "block.example": "gone.example"}.get(reply, reply))
        for prompt, reply in BASIC
    ]
    first[5] = (first[5][0], "no")
    answer(child, [*first, KEY, ("list [gone.example] could not be fetched", None), (AGAIN, "")])
    again = [
        ("Device ID (tdid) : [default tdid_abcd1234] ", ""),
        ("Device Management IP address : [default 192.0.2.66] ", ""),
        ("Block list name : [default gone.example] ", "block.example"),
        ("Allow list name : [default allow.example] ", ""),
        ("[default ThreatSTOP] ", ""),
        ("Token Auth? (yes or no) [default no] ", ""),
        ("[default no] ", ""),
        ("[default auto] ", ""),
        ("[default yes] ", ""),
        ("Device username : [default api] ", ""),
        ("Device password : [default unchanged] ", ""),
    ]
    answer(child, [*again, ("no TCP to port 443", None), (AGAIN, "y")])
    assert not stored()
    again[1] = ("[default 192.0.2.66] ", "192.0.2.10")
    again[2] = ("Block list name : [default block.example] ", "")
    answer(child, again)
    status, rest = ended(child)

    assert status == 0
    assert "Device tstest added" in rest
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert (settings["device"], settings["token_auth"]) == ("192.0.2.10", False)
    assert settings["max_policy_size"] == 9000


def test_a_self_signed_certificate_is_shown_and_pinned_by_a_word(
    tsadmin: "Tsadmin", start: "Start", stored: "Stored"
) -> None:
    replies = [
        (prompt, "192.0.2.67" if reply == "192.0.2.10" else reply) for prompt, reply in BASIC
    ]
    pin = "Pin it? (y or n) [default n] "
    shown = ":".join(["AB"] * 32)
    child = start("add", "--type", "asarest", "tstest")
    answer(child, [*replies, KEY, (f"SHA-256 {shown}", None), (pin, ""), (AGAIN, "n")])
    assert ended(child)[0] == 1
    assert not stored()

    child = start("add", "--type", "asarest", "tstest")
    answer(child, [*replies, KEY, (f"SHA-256 {shown}", None), (pin, "y")])
    status, rest = ended(child)
    assert status == 0
    assert "Device tstest added" in rest
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["fingerprint"] == "ab" * 32
    assert settings["allow_self_signed"] is False


def test_a_certificate_is_asked_about_where_all_else_was_given(
    tsadmin: "Tsadmin", start: "Start", stored: "Stored", options: "Options"
) -> None:
    given = ("add", "--type", "asarest", *options(device="192.0.2.67"), "tstest")
    pin = "Pin it? (y or n) [default n] "
    child = start(*given)
    answer(child, [("SHA-256 " + ":".join(["AB"] * 32), None), (pin, "n")])
    status, rest = ended(child)
    assert (status, AGAIN in rest) == (1, False)
    assert not stored()

    child = start(*given)
    answer(child, [(pin, "y")])
    assert ended(child)[0] == 0
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert settings["fingerprint"] == "ab" * 32


def test_the_end_of_the_input_ends_the_corrections(start: "Start", stored: "Stored") -> None:
    child = start("add", "--type", "asarest", "tstest")
    wrong = [
        (prompt, "gone.example" if reply == "block.example" else reply) for prompt, reply in BASIC
    ]
    answer(child, [*wrong, KEY, (AGAIN, None)])
    child.sendeof()
    status, rest = ended(child)

    assert status == 1
    assert "[ERROR]" not in rest
    assert not stored()


def test_the_device_key_is_asked_for_behind_the_questions_and_is_not_shown(
    tsadmin: "Tsadmin", start: "Start"
) -> None:
    child = start("add", "--type", "asarest", "tstest")
    log: list[str] = []
    child.logfile_read = type("Log", (), {"write": log.append, "flush": lambda _: None})()
    answer(child, [*BASIC, (KEY[0], "k3y")])
    status, rest = ended(child)

    assert (status, "Device tstest added" in rest) == (0, True)
    assert "rejects the uploads" not in rest
    assert "k3y" not in "".join(log)
    assert json.loads(tsadmin("show", "tstest", "--json").out)["settings"]["upload_key"]


def test_no_device_key_is_asked_for_where_no_logs_go(start: "Start") -> None:
    child = start("add", "--type", "asarest", "tstest")
    answer(child, [(one, "no" if "Send logs" in one else reply) for one, reply in BASIC])
    status, rest = ended(child)

    assert (status, "Device key" in rest) == (0, False)


def test_an_address_of_another_device_is_told_before_the_next_question(
    add: "Add", start: "Start"
) -> None:
    add("first", ha_members="192.0.2.11")
    child = start("add", "--type", "asarest", "tstest")
    answer(child, [BASIC[0]])
    for taken in ("192.0.2.10", "192.0.2.11"):
        answer(
            child,
            [
                ("Device Management IP address : ", taken),
                (f"address {taken} of device 'tstest' already belongs to device 'first'", None),
            ],
        )
    answer(child, [("Device Management IP address : ", "192.0.2.12"), ("Block list name : ", None)])

    child = start("add", "--type", "asarest", "--device", "192.0.2.11", "tstest")
    status, rest = ended(child)
    assert (status, "already belongs to device 'first'" in rest, "Device ID" in rest) == (
        1,
        True,
        False,
    )


def test_configure_asks_about_a_certificate_that_is_not_known(
    tsadmin: "Tsadmin", add: "Add", start: "Start"
) -> None:
    add()
    pin = "Pin it? (y or n) [default n] "
    moved = ("configure", "tstest", "--device", "192.0.2.67")
    child = start(*moved)
    answer(child, [("SHA-256 " + ":".join(["AB"] * 32), None), (pin, "n")])
    assert ended(child)[0] == 1
    child = start(*moved)
    answer(child, [(pin, "y")])
    assert ended(child)[0] == 0

    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert (settings["device"], settings["fingerprint"]) == ("192.0.2.67", "ab" * 32)
