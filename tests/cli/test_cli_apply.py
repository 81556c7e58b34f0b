"""
`tsadmin apply`: what a file may say, the plan of it, and that a second run changes nothing.
"""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.cli.apply import _Carrying
from tscm.cli.main import run
from tscm.cli.site_file import SiteFaulty, read_site
from tscm.cli.site_plan import Step
from tscm.errors import NoSuchDevice
from tscm.services.entries import change_entry, entries
from tscm.settings.layout import Layout

NOW = 1_780_000_000.0
SAMPLE = Path(__file__).parents[2] / "etc" / "site.yml"


def site(text: str) -> Any:
    return read_site(text.encode(), NOW)


def test_the_sample_is_read() -> None:
    found = read_site(SAMPLE.read_bytes(), NOW)
    assert [one.network for one in found.lists["partners"].entries][:1] == ["198.51.100.0/28"]
    assert found.targets["spamhaus-drop"].on is True
    assert found.targets["spamhaus-drop"].content is None
    assert found.policies["default"]["block_name"] == "block.default.tscm.internal"


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nlists: {}\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (BOMB, "anchors or aliases"),
        ("lists: " + "[" * 50, "nested too deeply|cannot be read"),
        ("lists:\n  a: {side: block}\n  a: {side: allow}\n", "'a' stands twice"),
        ("lists: !!python/object/apply:os.system [x]", "cannot be read"),
        ("lists: {a: {side: block, entries: [" + "1.1.1.1," * 250_000 + "]}}", "200,000 values"),
        ("- a\n- b\n", "no table of"),
        ("", "no table of"),
        ("a: b\n---\nc: d\n", "cannot be read"),
        ("lists: {a: {side: left}}", "side is 'left'; allowed: block, allow"),
        ("lists: {a: {side: block, entrys: []}}", "'entrys' is unknown"),
        ("lists: {a: {side: block, entries: [1]}}", "entries are a list of texts"),
        ("lists: {a: {side: block, entries: ['10.0.0.0/33', '300.1.1.1']}}", "entry 1: .*entry 2"),
        ("lists: {a: {side: block, entries: ['0.0.0.0/0']}}", "entry 1"),
        ("lists: {A B: {side: block}}", "is not a name"),
        ("lists: {1: {side: block}}", "is not a name"),
        ("lists: [a]", "names with a table each"),
        ("lists: {a: text}", "a table of fields"),
        ("policy: {}", "'policy' is unknown"),
        ("targets: {a: {severity: 9}}", "severity"),
        ("targets: {a: {severity: 99999999999999999999999}}", "severity"),
        ("targets: {a: {on: yes}}", "on and accept_terms are true or false"),
        ("policies: {a: {block: list:x, wrong: 1}}", "wrong"),
        ("entries: {a: {adress: 192.0.2.1}}", "'adress' is unknown"),
        ("entries: {a: {settings: [x]}}", "settings are a table"),
        ("entries: {a: {settings: {1: x}}}", "settings are a table"),
        ("entries: {a: {settings: {x: {y: z}}}}", "settings are a table"),
        ("\0", "cannot be read"),
        ("lists: !!int abc", "does not fit its tag"),
        ("lists: !!timestamp 2026-99-99", "does not fit its tag"),
        ("lists: {a: !!bool maybe}", "does not fit its tag"),
    ],
)
def test_a_faulty_file_is_refused_whole(text: str, cause: str) -> None:
    with pytest.raises(SiteFaulty, match=cause):
        site(text)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SiteFaulty) as failed:
        site(
            "lists: {a: {side: x}, b: {side: block, entries: [c]}}\nbundles: {d: {min_severity: 9}}"
        )
    assert len(failed.value.faults) == 3


@given(st.text(alphabet="abl:{}[]&*!- \n'\"#|>%@1", max_size=60))
def test_no_text_ends_in_anything_but_a_sentence(text: str) -> None:
    with suppress(SiteFaulty):
        site(text)


def test_words_that_only_old_yaml_takes_for_truth_are_words() -> None:
    found = site("lists: {no: {side: block, note: on}}\ntargets: {drop: {on: true}}")
    assert found.lists["no"].note == "on"
    assert found.targets["drop"].on is True


FILE = """
lists:
  partners: {side: allow, entries: [198.51.100.0/28, 192.0.2.5]}
  trouble: {side: block, entries: [203.0.113.7]}
targets:
  own: {severity: 4, threat: c2, lists: [trouble], on: true}
bundles:
  severe: {min_severity: 4}
policies:
  default: {title: Default, block: [bundle:severe, list:own-block], allow: [list:partners]}
entries:
  edge-1: {address: 192.0.2.10, note: rack 4}
"""


def apply(tmp_path: Path, text: str, *words: str) -> int:
    file = tmp_path / "site.yml"
    file.write_text(text)
    return run(["--root", str(tmp_path / "node"), "apply", "-f", str(file), *words])


@pytest.fixture
def node(tmp_path: Path) -> Path:
    assert run(["--root", str(tmp_path / "node"), "lists", "create", "first", "--block"]) == 0
    return tmp_path


def test_a_plan_changes_nothing_and_a_second_run_finds_nothing(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for _ in range(2):
        assert apply(node, FILE, "--plan", "--detailed_exitcode") == 2
        told = capsys.readouterr().out
        assert "+ list partners: new, to allow" in told
        assert "+ list partners: 2 entries come" in told
        assert "- policy default: allow = ['list:own-allow']" in told
        assert "+ entry edge-1: address = 192.0.2.10" in told
    assert not entries(Layout(node / "node").portal)
    assert apply(node, FILE) == 0
    told = capsys.readouterr().out
    assert (key := re.search("device key of edge-1, not shown again: ([0-9a-f]{64})", told))
    (entry,) = entries(Layout(node / "node").portal)
    assert entry.key_fits(key[1])
    assert run(["--root", str(node / "node"), "audit"]) == 0
    assert "add_entry" in capsys.readouterr().out  # an entry of a file is audited as any other
    assert apply(node, FILE, "--plan", "--detailed_exitcode") == 0
    assert "no changes" in "".join(capsys.readouterr())
    assert apply(node, FILE) == 0
    assert run(["--root", str(node / "node"), "lists", "versions", "partners", "--json"]) == 0
    said = capsys.readouterr().out
    assert len(json.loads(said[said.index("{\n") if "{\n" in said else 0 :])["versions"]) <= 2


def test_a_change_of_the_file_is_the_change_of_the_site(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(node, FILE) == 0
    (before,) = entries(Layout(node / "node").portal)
    other = FILE.replace("192.0.2.5]", "192.0.2.6]").replace(
        "severity: 4, threat", "severity: 5, threat"
    )
    other = other.replace("address: 192.0.2.10, note: rack 4", "domain: edge.example").replace(
        ", on: true", ", on: false"
    )
    capsys.readouterr()
    assert apply(node, other, "--plan") == 0
    told = capsys.readouterr().out
    for line in (
        "+ list partners: 1 entries come",
        "- list partners: 1 entries go",
        "- target own: severity = 4",
        "+ target own: severity = 5",
        "- target own: off",
        "+ entry edge-1: domain = edge.example",
    ):
        assert line in told
    assert apply(node, other) == 0
    (entry,) = entries(Layout(node / "node").portal)
    assert (entry.address, entry.domain, entry.note) == (None, "edge.example", "rack 4")
    assert entry.device_key_sha256 == before.device_key_sha256
    assert apply(node, other, "--plan", "--detailed_exitcode") == 0


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("side: allow", "side: block", "list:partners is a list to block"),
        ("list:own-block]", "list:absent]", "there is no list 'absent'"),
        ("address: 192.0.2.10", "address: nonsense", "nonsense"),
        ("address: 192.0.2.10, ", "", "exactly one of address and domain"),
        ("note: rack 4", "policy: absent", "there is no policy 'absent'"),
        ("note: rack 4", "settings: {type: asarest, password: x}", "at the manager"),
        ("note: rack 4", "settings: {type: nonsense}", "nonsense"),
        ("lists: [trouble]", "lists: [absent]", "there is no list 'absent'"),
        ("  own: {", "  absent: {on: true}\n  own: {", "no target 'absent'"),
    ],
)  # fmt: skip
def test_what_could_not_be_carried_out_is_found_before_anything_is(
    node: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, cause: str
) -> None:
    assert apply(node, FILE.replace(old, new)) != 0
    assert cause in "".join(capsys.readouterr())
    assert run(["--root", str(node / "node"), "lists", "--json"]) == 0
    assert "partners" not in capsys.readouterr().out


def test_a_list_that_would_be_emptied_needs_a_word(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(node, FILE) == 0
    emptied = FILE.replace("entries: [198.51.100.0/28, 192.0.2.5]", "entries: []")
    assert apply(node, emptied) != 0
    assert "repeat the command" in "".join(capsys.readouterr())
    assert apply(node, emptied, "--accept_shrink") == 0


FOLLOWED = """
policies:
  default: {title: Default, block: [list:own-block], allow: [list:own-allow]}
entries:
  east:
    address: 192.0.2.10
    policy: default
    integration: auto
    manufacturer: Cisco
    model: ASA 5516-X
    location: hall 2
    settings: {type: asarest, device: 192.0.2.20, username: admin, max_policy_size: 5000}
"""


def _row(node: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert run(["--root", str(node / "node"), "portal", "show", "east", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_entry_that_a_manager_follows_is_all_in_the_file(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(node, FOLLOWED) == 0
    row = _row(node, capsys)
    assert (row["policy"], row["block_list"]) == ("default", "block.default.tscm.internal")
    assert (row["manufacturer"], row["model"], row["location"]) == ("Cisco", "ASA 5516-X", "hall 2")
    assert (row["integration"], row["settings_fault"]) == ("auto", "")
    assert row["settings"]["max_policy_size"] == 5000
    assert apply(node, FOLLOWED, "--plan", "--detailed_exitcode") == 0
    other = FOLLOWED.replace("max_policy_size: 5000", "prefix: Other, max_policy_size: null")
    capsys.readouterr()
    assert apply(node, other) == 0
    told = capsys.readouterr().out
    assert "- entry east: settings.max_policy_size = 5000" in told
    assert "+ entry east: settings.prefix = Other" in told
    assert "username" not in told
    settings = _row(node, capsys)["settings"]
    assert (settings["prefix"], settings["username"]) == ("Other", "admin")
    assert "max_policy_size" not in settings
    assert apply(node, other, "--plan", "--detailed_exitcode") == 0


def test_a_change_that_comes_between_plan_and_apply_is_not_undone(
    node: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apply(node, FOLLOWED) == 0
    carry_out = _Carrying.carry_out

    def after_another(self: _Carrying, step: Step) -> dict[str, str]:
        root = Layout(node / "node").portal
        change_entry(root, "east", {"location": "hall 9"})
        return carry_out(self, step)

    monkeypatch.setattr(_Carrying, "carry_out", after_another)
    assert apply(node, FOLLOWED.replace("ASA 5516-X", "ASA 5525-X")) == 1
    assert "changed by another user" in " ".join(capsys.readouterr().err.split())
    row = _row(node, capsys)
    assert (row["model"], row["location"]) == ("ASA 5516-X", "hall 9")


FED = """
targets:
  fed: {feeds: [{url: "https://lists.example/a?key=s3cret", format: cidr}]}
"""


def test_the_query_of_a_url_is_not_told_and_not_forgotten(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(node, FED) == 0
    told = "".join(capsys.readouterr())
    assert "https://lists.example/a" in told
    assert "s3cret" not in told
    assert apply(node, FED, "--plan", "--detailed_exitcode") == 0
    assert apply(node, FED.replace("s3cret", "other"), "--plan", "--detailed_exitcode") == 2
    assert "other" not in "".join(capsys.readouterr())
    # A target that is stored, and not in the file, can be part of a policy of the file.
    policy = "policies: {one: {block: [target:fed]}}"
    assert apply(node, policy, "--plan", "--detailed_exitcode") == 2


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_key_that_was_made_is_told_though_a_later_step_fails(
    node: Path,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    carry_out = _Carrying.carry_out

    def fails_at_the_second(self: _Carrying, step: Step) -> dict[str, str]:
        if step.name == "edge-2":
            raise NoSuchDevice("edge-2")
        return carry_out(self, step)

    monkeypatch.setattr(_Carrying, "carry_out", fails_at_the_second)
    capsys.readouterr()
    both = "entries:\n  edge-1: {address: 192.0.2.10}\n  edge-2: {address: 192.0.2.11}\n"
    assert apply(node, both, *words) != 0
    told = "".join(capsys.readouterr())
    (entry,) = entries(Layout(node / "node").portal)
    assert any(entry.key_fits(key) for key in re.findall("[0-9a-f]{64}", told))
