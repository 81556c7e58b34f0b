"""
What a manager's start makes is not looked through again and again.
"""

import gc

from tscm.plugins.manager import freeze_startup_objects


def test_a_full_collection_does_not_look_through_what_the_start_made() -> None:
    kept = [[number] for number in range(1000)]
    freeze_startup_objects()
    try:
        assert gc.get_freeze_count() > len(kept)
        assert len(gc.get_objects()) < gc.get_freeze_count()
    finally:
        gc.unfreeze()
