"""
Commands in sentences are code on a page, and never HTML.
"""

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from tscm.faces.web.rendering import told
from tscm.printable import visible


def test_what_stands_between_backticks_is_code() -> None:
    assert told("run `tsadmin add --type <kind>` & `x`.") == (
        "run <code>tsadmin add --type &lt;kind&gt;</code> &amp; <code>x</code>."
    )
    assert told("it`s <b>") == "it`s &lt;b&gt;"
    assert told("`<script>`\x1b") == "<code>&lt;script&gt;</code>\\x1b"
    assert told(None) is None  # which no template may show


@given(st.text("`<>&'\"ab \n\u202e\x1b", max_size=30))
def test_no_other_tag_comes_out_and_no_text_is_lost(sentence: str) -> None:
    html = str(told(sentence))
    bare = html.replace("<code>", "").replace("</code>", "")
    assert not set("<>\"'") & set(bare)
    assert unescape(bare).replace("`", "") == visible(sentence, keep="\n").replace("`", "")
