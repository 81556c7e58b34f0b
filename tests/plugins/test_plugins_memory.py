"""
What a manager's start makes is not looked through again and again.
"""

import gc

from tscm.plugins.manager import settle_memory


def test_a_full_collection_does_not_look_through_what_the_start_made() -> None:
    kept = [[number] for number in range(1000)]
    settle_memory()
    try:
        assert gc.get_freeze_count() > len(kept)
        assert len(gc.get_objects()) < gc.get_freeze_count()
    finally:
        gc.unfreeze()
