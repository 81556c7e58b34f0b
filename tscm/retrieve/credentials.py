"""
What a feed's publisher wants to see of us: a key in a header, or a name and a password.
"""

import base64
from collections.abc import Mapping
from pathlib import Path

from tscm.retrieve.content import FeedFault
from tscm.retrieve.feed_source import FeedSource
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret


def headers_for(source: FeedSource, layout: Layout | None) -> Mapping[str, str]:
    """
    The headers that show who asks; none for a feed without a secret.  Raises `FeedFault`.

    Without a *layout* there is no node's key: then only a secret in the clear can be read.
    """
    if source.secret_file is None:
        return {}
    place = source.secret_place or source.name.partition("+")[0]  # all places of a feed
    try:
        kept = read_secret(
            Path(source.secret_file), f"feed/{place}/secret", layout, source.key_setting
        )
    except SecretFileFaulty as error:
        raise FeedFault(error.cause, error.remedy) from None
    secret = kept.reveal()
    if source.header is not None:
        return {source.header: secret}
    pair = f"{source.user or ''}:{secret}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
