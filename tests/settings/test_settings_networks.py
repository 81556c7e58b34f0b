"""
`[[policy.networks]]`: files of networks in the node's settings.
"""

from pathlib import Path

import pytest

from tscm.settings.files import read_node, settings_as_toml
from tscm.settings.layout import Layout
from tscm.settings.networks import networks_files

GOOD = {"name": "resolvers", "file": "/etc/tscm/resolvers.netset", "purpose": "refuse"}


def test_files_of_networks_are_read_and_written_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text(
        '[[policy.networks]]\nname = "resolvers"\nfile = "/etc/tscm/r"\npurpose = "refuse"\n'
        '[[policy.networks]]\nname = "drop"\nfile = "/etc/tscm/d"\npurpose = "confidence"\n'
        'confidence = 2.5\nformat = "drop-json"\n'
    )
    node = read_node(layout)
    assert [(one.name, one.purpose, one.confidence) for one in node.policy.networks] == [
        ("resolvers", "refuse", 0.0),
        ("drop", "confidence", 2.5),
    ]
    layout.settings_file.write_text(settings_as_toml(node))
    assert read_node(layout) == node


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"file": "resolvers"}, "is not an absolute path"),
        ({"purpose": "block"}, "not among the choices"),
        ({"name": "a b"}, "is not a DNS name"),
        ({"format": "csv"}, "a CSV requires pick"),
        ({"format": "csv", "pick": "00"}, "columns are counted from 1"),
        ({"confidence": 3}, "requires the purpose"),
        ({"purpose": "confidence"}, "requires the purpose"),
        ({"url": "https://x.example/"}, "unknown setting"),
    ],
)
def test_a_table_out_of_form_is_refused_in_words(change: dict[str, object], wrong: str) -> None:
    assert networks_files([GOOD])[0].name == "resolvers"
    with pytest.raises(ValueError, match=wrong):
        networks_files([{**GOOD, **change}])


def test_no_name_stands_for_two_files() -> None:
    with pytest.raises(ValueError, match="two files"):
        networks_files([GOOD, GOOD])
    with pytest.raises(ValueError, match="not a list of tables"):
        networks_files("x")
