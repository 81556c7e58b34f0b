import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tscm.cli import main
from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Options, Stored, Tsadmin

TOLD = (
    "[WARN ] : The log service at 127.0.0.1:2 rejects the uploads of this device: unknown "
    "(401); no device key is set: set the one issued with device ID "
    "tdid_abcd1234 with `tsadmin configure tstest --upload_key -`\n",
    "[WARN ] : 3,352 of 12,352 entries will be cut to fit Max Policy Size (9,000), unless "
    "merging makes room\n",
)
STORED = ["etc/tscm/devices/tstest.toml", "var/lib/tscm/key"]


def test_everything_by_options_asks_nothing(add: "Add", stored: "Stored") -> None:
    done = add()

    assert done.status == 0
    assert "[INFO ] : Block list block.example: 12,345 entries" in done.out
    assert "[INFO ] : Device tstest added" in done.out
    assert "beta" in done.out
    assert (
        "access-list global_access extended deny ip object-group ThreatSTOP-Block any log"
        in done.out
    )
    assert done.out.index("access-list") < done.out.index("tsadmin show tstest")
    assert "?" not in done.out
    assert done.err == "".join(TOLD)
    assert stored() == STORED


def test_without_a_name_the_device_id_is_the_name(add: "Add", stored: "Stored") -> None:
    assert add(None).status == 0
    assert stored()[0] == "etc/tscm/devices/tdid_abcd1234.toml"


def test_the_list_is_the_literal_table(tsadmin: "Tsadmin", add: "Add") -> None:
    add()

    assert tsadmin("list").out == (
        "| Device name | Type    | Device ID     | Management IP | Log upload ID | Log  | Log uploads |\n"
        "| tstest      | asarest | tdid_abcd1234 | 192.0.2.10    | tdid_abcd1234 | 100k | enabled     |\n"
    )


def test_versions_are_the_literal_table(tsadmin: "Tsadmin") -> None:
    assert tsadmin("version", "--all").out == (
        "[INFO ] : ThreatSTOP Versions:\n"
        "Module               Version\n"
        "-------------------- ----------\n"
        "  TSCM-Core          0.1.0\n"
        "  ts-asa             0.1.0\n"
        "  ts-asahttp         0.1.0\n"
        "  ts-asarest         0.1.0\n"
        "  ts-lists           0.1.0\n"
    )


def test_the_secret_is_in_no_file_and_in_no_output(
    tsadmin: "Tsadmin", root: Path, add: "Add", stored: "Stored"
) -> None:
    add()
    shown = tsadmin("show", "tstest")
    everything = b"".join((root / name).read_bytes() for name in stored())

    assert b"s3cret" not in everything
    assert "s3cret" not in shown.both
    assert "********" in shown.out
    assert json.loads(tsadmin("show", "tstest", "--json").out)["settings"]["password"] == "********"


def test_the_platform_proposes_the_size_unless_one_is_given(tsadmin: "Tsadmin", add: "Add") -> None:
    add("a")
    add("b", device="192.0.2.11", max_policy_size="500")

    sizes = [
        json.loads(tsadmin("show", name, "--json").out)["settings"]["max_policy_size"]
        for name in ("a", "b")
    ]
    assert sizes == [9000, 500]


def test_options_with_dashes_are_the_same_options(tsadmin: "Tsadmin", options: "Options") -> None:
    words = [
        one.replace("_", "-", 1) if "=" in one and "_" in one.split("=")[0] else one
        for one in options()
    ]
    assert any(one.startswith("--device-id=") for one in words)
    assert tsadmin("add", "--type", "asarest", *words, "tstest", stdin="x\n").status == 0


def test_a_password_on_the_command_line_works_with_a_warning(add: "Add") -> None:
    done = add(password_file=None, password="s3cret")

    assert done.status == 0
    assert done.err.startswith("[WARN ] : --password: ")
    assert "s3cret" not in done.both


def test_a_password_from_standard_input(add: "Add") -> None:
    done = add(password_file=None, password="-")

    assert (done.status, done.err) == (0, "".join(TOLD))


def test_json_is_all_that_stands_on_the_output(tsadmin: "Tsadmin", options: "Options") -> None:
    done = tsadmin("add", "--type=asarest", "--json", *options(), "tstest", stdin="s3cret\n")

    assert json.loads(done.out)["settings"]["password"] == "********"
    assert json.loads(tsadmin("list", "--json").out)[0]["name"] == "tstest"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"device_id": "abcd"}, "--device_id: 'abcd' is not a device ID"),
        ({"device": "300.1.1.1"}, "--device: '300.1.1.1' is neither an IP address nor a host name"),
        ({"block_list": "a..b"}, "--block_list: 'a..b' is not a DNS name"),
        ({"allow_list": "block.example"}, "--allow_list: it is also the block list"),
        ({"prefix": "bad name"}, "--prefix: 'bad name' is not an object-group prefix"),
        ({"prefix": "x" * 54}, "is not an object-group prefix"),
        ({"token_auth": "maybe"}, "--token_auth: 'maybe' is neither yes nor no"),
        ({"max_policy_size": "0"}, "--max_policy_size: '0' is out of range"),
        ({"max_policy_size": "lots"}, "--max_policy_size: 'lots' is not a whole number"),
        ({"username": ""}, "--username: '' is not a username"),
        ({"dns_port": "54"}, "allowed: 53 (standard) or 5353"),
        ({"syslog_sources": "192.0.2.1 x_y z!"}, "--syslog_sources"),
        ({"log_rotate_size": "49"}, "allowed: a whole number from 50 to 10,000,000"),
        ({"syslog_forward": "y"}, "--forward_address: syslog forward is enabled but no address"),
        ({"forward_port": "65536"}, "--forward_port: '65536' is out of range"),
        ({"forward_protocol": "sctp"}, "allowed: UDP, TCP"),
        ({"log_proxy": "https://192.0.2.9:3128"}, "is an https proxy, which is not supported"),
        ({"log_proxy": "192.0.2.9"}, "allowed: http://address:port"),
        ({"log_proxy_user": "u"}, "--log_proxy_user: a user is set without a proxy"),
        ({"ha_members": "192.0.2.300"}, "--ha_members"),
        ({"rest_url": "http://192.0.2.10/api"}, "--rest_url"),
        ({"object_group_size": "0"}, "--object_group_size: '0' is out of range"),
        ({"password_file": "/nowhere/at/all"}, "--password_file: /nowhere/at/all: No such file"),
        ({"password_file": "/dev/null"}, "--password_file: /dev/null is empty"),
        ({"password": "x"}, "--password: --password_file is given as well"),
    ],
)
def test_a_setting_out_of_form_is_refused_in_a_sentence(
    add: "Add", stored: "Stored", changed: dict[str, str], sentence: str
) -> None:
    done = add(**changed)

    assert done.status == 2
    assert sentence in done.err
    assert done.err.count("[ERROR] : ") == 1
    assert stored() == []


def test_all_faults_come_in_one_report(add: "Add") -> None:
    done = add(dns_port="1", log_rotate_size="49", log_proxy="https://p:1")

    assert "3 errors" in done.err
    for option in ("--dns_port", "--log_rotate_size", "--log_proxy"):
        assert f"\n  {option}: " in done.err


@pytest.mark.parametrize(
    "name", ["../x", "", "x" * 300, "-x", "a/b", "a b", "a.b", "ä", "\x1b[31m"]
)
def test_a_nickname_out_of_form_is_refused(
    tsadmin: "Tsadmin", options: "Options", stored: "Stored", name: str
) -> None:
    done = tsadmin("add", "--type=asarest", *options(), "--", name, stdin="s3cret\n")

    assert done.status == 2
    assert "NAME: " in done.err
    assert "letters, digits, '-' and '_'" in done.err
    assert len(done.err) < 300
    assert "\x1b" not in done.err
    assert stored() == []


def test_a_nickname_that_is_taken_is_refused(root: Path, add: "Add") -> None:
    add()
    before = (root / STORED[0]).read_bytes()
    done = add(device="192.0.2.11")

    assert done.status == 1
    assert "a device named 'tstest' already exists" in done.err
    assert (root / STORED[0]).read_bytes() == before


def test_an_address_of_another_device_is_refused(add: "Add", stored: "Stored") -> None:
    add()
    done = add("other", ha_members="::ffff:192.0.2.10", device="192.0.2.11")

    assert done.status == 1
    assert "192.0.2.10 of device 'other' already belongs to device 'tstest'" in done.err
    assert stored() == STORED


def test_a_relay_may_stand_with_two_devices(add: "Add") -> None:
    assert add(syslog_sources="192.0.2.200").status == 0
    assert add("b", device="192.0.2.11", syslog_sources="192.0.2.200").status == 0


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"block_list": "gone.example"},
            "block or allow list [gone.example] could not be fetched from ThreatSTOP DNS servers: "
            "no such name; try --dns_port 5353",
        ),
        ({"block_list": "empty.example"}, "the list is empty, and a block list must not be empty"),
        (
            {"block_list": "none.example"},
            "nothing in it could be read, of 9 entries, and a block list must not be empty; correct the list",
        ),
        ({"device": "192.0.2.66"}, "device tstest: no TCP to port 443; look at the http list"),
    ],
)
def test_what_does_not_answer_is_not_stored(
    add: "Add", stored: "Stored", changed: dict[str, str], sentence: str
) -> None:
    done = add(**changed)

    assert done.status == 1
    assert sentence in done.err
    assert stored() == []


HALF = (
    "[WARN ] : The next update will reject the {kind} list: 100 of 200 entries of "
    "half.example could not be read, more than 5%; correct the list or choose another "
    "one, or if this is intended, `tsadmin update tstest --accept_shrink`\n[WARN ] : 100 "
    "entries of list half.example will be excluded: no CIDR (100)\n"
)


@pytest.mark.parametrize("kind", ["block", "allow"])
def test_a_list_that_the_first_update_will_refuse_is_told(
    tsadmin: "Tsadmin", add: "Add", kind: str
) -> None:
    done = add(**{f"{kind}_list": "half.example"})
    assert done.status == 0
    assert HALF.format(kind=kind) in done.err

    tsadmin("configure", "tstest", f"--{kind}_list", f"{kind}.example")
    done = tsadmin("configure", "tstest", f"--{kind}_list", "half.example")
    assert done.status == 0
    assert HALF.format(kind=kind) in done.err
    assert "half.example" not in add("b", device="192.0.2.11").err


def test_a_list_over_the_limit_is_told(root: Path, add: "Add") -> None:
    file = root / "etc/tscm/tscm.toml"
    file.write_text(file.read_text().replace("[policy]", "[policy]\nmax_list_entries = 10000"))
    assert "block.example has 12,345 entries, over the limit of 10,000" in add().err


def test_an_empty_allow_list_is_fine(add: "Add") -> None:
    assert add(allow_list="empty.example").status == 0


def test_without_a_policy_server_it_says_what_to_set(root: Path, add: "Add") -> None:
    (root / "etc/tscm/tscm.toml").write_text("")
    done = add()

    assert done.status == 2
    assert "policy.servers: no policy server is configured" in done.err
    assert 'servers = ["address[:port]", …] under [policy]' in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add"], "--type: is missing; allowed: asa, asahttp, asarest"),
        (
            ["add", "--type", "asa5505"],
            "'asa5505' is not a device type; allowed: asa, asahttp, asarest",
        ),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["show", "nobody"], "no device named 'nobody'"),
        (["show", "../../etc/passwd"], "no device named"),
        (["configure", "nobody"], "no device named 'nobody'"),
        (["remove", "nobody", "--yes"], "no device named 'nobody'"),
        (["update", "nobody"], "no device named 'nobody'"),
        (["logs", "nobody"], "no device named 'nobody'"),
        (["list", "--nonsense"], "No such option"),
    ],
)
def test_a_word_out_of_place_is_one_sentence(
    tsadmin: "Tsadmin", words: list[str], sentence: str
) -> None:
    done = tsadmin(*words)

    assert done.status != 0
    assert sentence in done.err
    assert done.err.startswith("[ERROR] : ")
    assert done.err.count("\n") == 1


def test_the_help_of_a_type_lists_every_option_with_its_default(tsadmin: "Tsadmin") -> None:
    from tscm.kinds.asa.rest.settings import AsaRestSettings
    from tscm.settings.shapes import options

    out = tsadmin("add", "--type", "asarest", "--help").out
    for name in set(options(AsaRestSettings)) - {"name", "type", "entry"}:
        assert f"--{name} " in out
    assert "[default: 53]" in " ".join(out.split())
    assert "--block_list" not in tsadmin("add", "--help").out


def test_what_needs_the_manager_says_that_it_is_down(tsadmin: "Tsadmin", add: "Add") -> None:
    add()
    done = tsadmin("logs", "tstest")

    assert done.status == 6
    assert "twistd -n tscm" in done.err


def test_the_end_of_the_input_at_a_question_is_an_error(
    tsadmin: "Tsadmin", stored: "Stored"
) -> None:
    done = tsadmin("add", "--type=asarest", "tstest", stdin="tdid_a\n")

    assert done.status == 2
    assert "the input ended at the prompt 'Device Management IP address'" in done.err
    assert stored() == []


def test_a_proxy_that_is_cleared_takes_its_user_and_password_along(
    tsadmin: "Tsadmin", add: "Add"
) -> None:
    add(log_proxy="http://192.0.2.40:3128", log_proxy_user="pu", log_proxy_password="pw")
    done = tsadmin("configure", "tstest", "--log_proxy", "none")

    assert done.status == 0
    assert "changed log_proxy, log_proxy_user, log_proxy_password" in done.out
    assert "user and password of the log upload proxy are also cleared" in done.err
    settings = json.loads(tsadmin("show", "tstest", "--json").out)["settings"]
    assert [settings[f"log_proxy{one}"] for one in ("", "_user", "_password")] == [None] * 3
    both = tsadmin("configure", "tstest", "--log_proxy", "none", "--log_proxy_user", "pu")
    assert both.status == 2


def test_forwarding_that_is_turned_off_needs_nothing_else(tsadmin: "Tsadmin", add: "Add") -> None:
    add(syslog_forward="y", forward_address="192.0.2.30")
    assert tsadmin("configure", "tstest", "--syslog_forward", "n").status == 0


def test_a_password_inside_a_url_is_not_told(tsadmin: "Tsadmin", add: "Add") -> None:
    for url in ("http://u:s3cr@t@192.0.2.1:3128", "u:s3cr@t@192.0.2.1:3128", "https://u:s3cr@t@h"):
        done = add(log_proxy=url)
        assert done.status == 2
        assert "s3cr" not in done.both
        assert "u:" not in done.err
        assert "…@" in done.err


def test_a_long_number_is_out_of_range(add: "Add") -> None:
    assert "is out of range" in add(max_policy_size="9" * 20).err


def test_a_removal_whose_question_is_not_answered_keeps_the_device(
    tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    done = tsadmin("remove", "tstest")
    assert done.status == 2
    assert "so device tstest not removed" in done.err
    assert "stored" not in done.err
    assert tsadmin("show", "tstest").status == 0


def test_one_entry_is_no_entries() -> None:
    from tscm.update.figures import PlanFigures, Result
    from tscm.update.outcome import UpdateOutcome

    one = PlanFigures(steps=1, requests=1, added=1)
    for result, words in (
        (Result.PLANNED, "1 entry would be added and 0 removed in 1 request;"),
        (Result.CHANGED, "1 entry added and"),
    ):
        done = UpdateOutcome(device="fw", started_at=0.0, result=result, plan=one)
        assert words in done.sentence()


def test_what_an_option_takes_stands_in_the_help_and_is_completed(
    tsadmin: "Tsadmin", environment: dict[str, str], root: Path
) -> None:
    said = " ".join(tsadmin("add", "--type", "asarest", "--help").out.split())
    assert "--forward_mode as-received|header|rfc5424" in said
    assert "--forward_protocol UDP|TCP|TLS" in said
    assert "--token_auth yes|no" in said
    assert "a whole number from 50 to 10,000,000" in said

    words = f"tsadmin --root {root} configure tstest --forward_mode "
    done = subprocess.run(
        [str(Path(sys.executable).parent / "tsadmin")],
        capture_output=True,
        text=True,
        env={
            **environment,
            "_TSADMIN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": "6",
        },
        timeout=60,
        check=False,
    )
    assert [line.partition(",")[2] for line in done.stdout.split()] == [
        "as-received",
        "header",
        "rfc5424",
    ]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("add --type a", ["asa", "asahttp", "asarest", "auto"]),
        ("add --forward_protocol T", ["TCP", "TLS"]),
        ("add --type asarest --forward_protocol T", ["TCP", "TLS"]),
        ("add --type=asarest --forward_m", ["--forward_mode"]),
        ("portal remove of", ["office"]),
    ],
)
def test_values_are_completed_before_a_type_is_given_and_after_it(
    words: str,
    completed: list[str],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = root / "var/lib/tscm/portal/entries"
    entries.mkdir(parents=True)
    (entries / "office.toml").touch()
    line = f"tsadmin --root {root} {words}"
    monkeypatch.setenv("_TSADMIN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    with pytest.raises(SystemExit):
        main.main([])
    assert [one.partition(",")[2] for one in capsys.readouterr().out.split()] == completed


def test_the_version_is_an_option_too(tsadmin: "Tsadmin") -> None:
    assert tsadmin("--version").out == tsadmin("version").out


def test_a_word_that_was_probably_meant_is_named(tsadmin: "Tsadmin", root: Path) -> None:
    assert "did you mean update?" in tsadmin("updtae", "tstest").err
    assert "did you mean" not in tsadmin("xyzzy").err
    assert "rollback" in tsadmin("policy", "rolback", "tstest", "1").err
    Layout(root).settings_file.write_text('[policy]\nserver = ["192.0.2.1"]\n')
    said = tsadmin("add", "--type=asarest", "office").err
    assert "policy.server: unknown setting (did you mean servers?)" in said


def test_no_question_is_broken_on_a_terminal_of_80_columns() -> None:
    from tscm.cli.questions import default_of
    from tscm.kinds.kind import kinds

    for question in (question for kind in kinds() for question in kind.questions):
        shown = question.shown(default_of(question, None))
        for line in question.prompt(shown).split("\n"):
            assert len(line) <= 80, line


def test_a_key_and_room_for_all_entries_leave_nothing_to_warn_of(add: "Add") -> None:
    assert (
        add(upload_key="k3y", max_policy_size="20000").err.count("[WARN ]") == 1
    )  # on a command line
    assert "will be cut" not in add("other", device="192.0.2.11", max_policy_size="20000").err
