"""
The page with answers of the test's own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.web.web_site import FakeSite


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FakeSite]:
    made = FakeSite(tmp_path)
    yield made
    made.close()
