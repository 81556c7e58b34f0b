"""
`tsadmin portal policies`, `targets` and `bundles` on the stored files of one root.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Tsadmin


def test_a_policy_is_put_together(tsadmin: "Tsadmin", tmp_path: Path) -> None:
    shown = json.loads(tsadmin("portal", "policies", "--json").out)
    assert [one["name"] for one in shown["policies"]] == ["default"]
    assert "edge-core" in {one["name"] for one in shown["shipped"]}

    adopted = tsadmin("portal", "policies", "adopt", "edge-core")
    assert adopted.status == 0
    assert "nothing is fetched until you turn its targets on" in adopted.out

    asked = tsadmin("portal", "targets", "on", "feodo")
    assert asked.status == 2
    assert "abuse.ch asks: CC0" in asked.err
    assert tsadmin("portal", "targets", "on", "feodo", "--accept_terms").status == 0
    targets = json.loads(tsadmin("portal", "targets", "--json").out)["targets"]
    assert [one["name"] for one in targets if one["on"]] == ["feodo"]

    file = tmp_path / "severe.toml"
    file.write_text('min_severity = 5\ntraffic = ["out"]\n')
    assert tsadmin("portal", "bundles", "set", "severe", "--file", str(file)).status == 0
    bundles = json.loads(tsadmin("portal", "bundles", "--json").out)["bundles"]
    assert {one["name"]: one["targets"] for one in bundles} == {
        "all-on": ["feodo"],
        "severe": ["feodo"],
    }

    empty = tsadmin("portal", "policies", "set", "mine", "--allow", "list:own-allow")
    assert empty.status == 2
    assert "has no block side" in empty.err
    made = tsadmin("portal", "policies", "set", "mine", "--block", "bundle:severe")
    assert made.status == 0, made.err
    changed = tsadmin("portal", "policies", "set", "mine", "--title", "Mine", "--version", "7")
    assert "version 1" in changed.err

    used = tsadmin("portal", "bundles", "delete", "severe", "--yes")
    assert used.status == 2
    assert "used by policy mine" in used.err
    used = tsadmin("lists", "delete", "own-block", "--yes")
    assert "used by policy default" in used.err
    assert tsadmin("portal", "policies", "delete", "mine", "--yes").status == 0
    assert tsadmin("portal", "bundles", "delete", "severe", "--yes").status == 0

    file.write_text('feeds = [{ url = "file:///etc/shadow" }]\n')
    hostile = tsadmin("portal", "targets", "set", "odd", "--file", str(file))
    assert hostile.status == 2
    assert "file of the manager" in hostile.err


def test_no_two_policies_publish_one_list(tsadmin: "Tsadmin") -> None:
    words = ("--block", "list:own-block", "--block_name", "block.edge-core.tscm.internal")
    assert tsadmin("portal", "policies", "set", "mine", *words).status == 0
    adopted = tsadmin("portal", "policies", "adopt", "edge-core")
    assert adopted.status == 2
    assert "policy 'mine' publishes block.edge-core.tscm.internal already" in adopted.err


def test_a_target_of_a_deleted_ones_name_begins_turned_off(
    tsadmin: "Tsadmin", tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    file.write_text('lists = ["own-block"]\nterms = "by contract"\n')
    make = ("portal", "targets", "set", "own", "--file", str(file))
    assert tsadmin(*make).status == 0
    assert tsadmin("portal", "targets", "on", "own", "--accept_terms").status == 0
    assert tsadmin("portal", "targets", "delete", "own", "--yes").status == 0
    assert tsadmin(*make).status == 0
    targets = json.loads(tsadmin("portal", "targets", "--json").out)["targets"]
    assert [one["name"] for one in targets if one["on"]] == []
