"""
`tsadmin lists`: from an empty list to an undone edit, in one root.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Tsadmin


def test_a_list_is_filled_searched_and_put_back(tsadmin: "Tsadmin", tmp_path: Path) -> None:
    assert tsadmin("lists", "create", "partners", "--allow", "--note", "theirs").status == 0
    again = tsadmin("lists", "create", "Partners")
    assert again.status == 2
    assert "already a user list 'partners'" in again.err

    file = tmp_path / "some"
    file.write_text("192.0.2.1 # lab\n198.51.100.5-198.51.100.9\nfoo\n10.0.0.9-10.0.0.1\n")
    faulty = tsadmin("lists", "add", "partners", "--file", str(file))
    assert faulty.status == 2
    assert "'foo' is a name" in faulty.out
    assert "ends before it begins" in faulty.out
    assert "unchanged" in faulty.err

    added = tsadmin("lists", "add", "partners", "--file", str(file), "--skip_faults", "--json")
    assert added.status == 0
    told = json.loads(added.out)
    assert (told["skipped"], told["version"]["version"], told["version"]["entries"]) == (2, 2, 2)

    found = json.loads(tsadmin("lists", "find", "198.51.100.7", "--json").out)
    (one,) = found["entries"]
    assert (one["network"], one["list_name"]) == ("198.51.100.5-198.51.100.9", "partners")

    stale = tsadmin("lists", "remove", "partners", "192.0.2.1", "--version", "1")
    assert stale.status != 0
    assert "has version 2" in stale.err
    assert tsadmin("lists", "remove", "partners", "192.0.2.1").status == 0
    assert "it has 2 entries in version 4" in tsadmin("lists", "undo", "partners").out
    assert "192.0.2.1/32" in tsadmin("lists", "show", "partners", "--search", "192.0.2.1").out

    url = tsadmin("lists", "replace", "partners", "--url", "file:///etc/passwd")
    assert url.status == 2
    assert "only https://" in url.err
    assert "root:" not in url.both
    inside = tsadmin("lists", "replace", "partners", "--url", "https://127.0.0.1:1/list")
    assert inside.status != 0
    assert "[portal] private_servers does not permit" in inside.err
    audit = json.loads(tsadmin("audit", "--json").out)
    did = [one["operation"] for one in audit if one["outcome"] == "done"]
    assert did == ["create_list", "edit_list", "edit_list", "undo_list"]

    assert tsadmin("lists", "delete", "partners", "--yes").status == 0
    gone = tsadmin("lists", "show", "partners")
    assert gone.status == 2
    assert "no user list 'partners'" in gone.err


@pytest.mark.parametrize(
    ("words", "without_effect"),
    [
        (("remove", "--found", "192.0.2.0/24", "--check"), "--check"),
        (("remove", "--found", "192.0.2.0/24", "--skip_faults"), "--skip_faults"),
        (("remove", "--found", "192.0.2.0/24", "192.0.2.1"), "networks"),
        (("replace", "--url", "https://127.0.0.1:1/x", "--check"), "--check"),
        (("replace", "--url", "https://127.0.0.1:1/x", "--for", "4h"), "--for"),
    ],
)
def test_no_edit_takes_place_where_an_option_would_have_no_effect(
    tsadmin: "Tsadmin", words: tuple[str, ...], without_effect: str
) -> None:
    assert tsadmin("lists", "create", "partners").status == 0
    assert tsadmin("lists", "add", "partners", "192.0.2.1").status == 0
    action, *options = words
    refused = tsadmin("lists", action, "partners", *options)
    assert refused.status == 2
    assert f"{without_effect} has no effect with {options[0]}" in refused.err
    assert "192.0.2.1/32" in tsadmin("lists", "show", "partners").out
