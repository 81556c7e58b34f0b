"""
Feeds as the settings name them, down to the list.
"""

from pathlib import Path

import pytest

from tscm.base.secrets import Secret
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.policy import feed_formats
from tscm.retrieve.sources import fetch_list, list_source
from tscm.settings import feed
from tscm.settings.files import read_node, settings_as_toml
from tscm.settings.layout import Layout

DEVICE = AsaRestSettings(
    name="edge",
    device_id="tdid_a1",
    device="192.0.2.1",
    block_list="drop.feeds",
    allow_list="allow.example",
    username="u",
    password=Secret("p"),
)


def test_settings_and_reader_know_the_same_formats() -> None:
    assert feed.FORMATS == feed_formats.FORMATS


def test_a_list_that_has_a_feed_comes_from_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    (tmp_path / "drop.csv").write_text("cidr;id\n192.0.2.0/24;1\n")
    layout.settings_file.write_text(
        f'[[policy.feeds]]\nname = "Drop.Feeds"\nurl = "file://{tmp_path}/drop.csv"\n'
        'format = "csv"\npick = "cidr"\ndelimiter = ";"\n'
    )
    node = read_node(layout)
    found = fetch_list(list_source(DEVICE, node, "drop.feeds"), None, 1.0)
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.0/24"]
    assert list_source(DEVICE, node, "allow.example").feed is None
    layout.settings_file.write_text(settings_as_toml(node))
    assert read_node(layout) == node


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"name": "a b", "url": "https://x.example/"}, "is not a DNS name"),
        ({"name": "a", "url": "http://x.example/"}, "without TLS"),
        ({"name": "a", "url": "https://u:p@x.example/"}, "more than an address"),
        ({"name": "a", "url": "file://host/x"}, "is not such a URL"),
        ({"name": "a", "url": "https:///x"}, "is not such a URL"),
        ({"name": "a", "url": "https://x.example/", "format": "xml"}, "not among the choices"),
        ({"name": "a", "url": "https://x.example/", "format": "csv"}, "a CSV requires pick"),
        (
            {"name": "a", "url": "https://x.example/", "format": "csv", "pick": "0"},
            "columns are counted from 1",
        ),
        ({"name": "a", "url": "https://x.example/", "delimiter": ""}, "is not a delimiter"),
        ({"name": "a"}, "url: is not set"),
        ({"name": "a", "url": "https://x.example/", "kind": "x"}, "unknown setting"),
        ("a", "is not a table"),
    ],
    ids=str,
)
def test_a_feed_out_of_form_is_refused_in_words(table: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        feed.feeds([table])


def test_a_query_may_stand_in_the_url_and_no_name_twice() -> None:
    one = {"name": "a", "url": "https://x.example/list?kind=all&v=4"}
    assert feed.feeds([one])[0].url == one["url"]
    with pytest.raises(ValueError, match="names two feeds"):
        feed.feeds([one, one])
    with pytest.raises(ValueError, match="is not a list of tables"):
        feed.feeds("https://x.example/")


def test_a_feed_has_several_places_each_a_list_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    (tmp_path / "a.json").write_text('{"v4": ["20.0.0.0/24"], "v6": ["2620::/48"]}')
    (tmp_path / "b.json").write_text('{"v4": ["20.0.1.0/24"]}')
    layout.settings_file.write_text(
        f'[[policy.feeds]]\nname = "drop.feeds"\nurl = "file://{tmp_path}/a.json"\n'
        f'format = "json"\npick = "v4"\nalso = [{{url = "file://{tmp_path}/a.json", pick = "v6"}}, '
        f'{{url = "file://{tmp_path}/b.json"}}]\n'
    )
    node = read_node(layout)
    names = list(feed.published(node.policy.feeds, "drop.feeds other.example"))
    assert names == ["drop.feeds", "drop.feeds+2", "drop.feeds+3", "other.example"]
    found = [fetch_list(list_source(DEVICE, node, name), None, 1.0) for name in names[:3]]
    assert [one and one.entries.cidrs() for one in found] == [
        ["20.0.0.0/24"],
        ["2620::/48"],
        ["20.0.1.0/24"],
    ]
    layout.settings_file.write_text(settings_as_toml(node))
    assert read_node(layout) == node


@pytest.mark.parametrize(
    ("also", "wrong"),
    [
        ("x", "not such a list"),
        ([{"pick": "a"}], "url: is not set"),
        ([{"url": "https://x.example/", "format": "csv"}], "unknown setting"),
        ([{"url": "file:///x"}], "all files or all https"),
        ([{"url": "https://x.example/"}] * 16, "not such a list"),
    ],
)
def test_places_out_of_form_are_refused(also: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        feed.feeds([{"name": "a", "url": "https://x.example/", "also": also}])
