"""
An ASA to test against.  Knows nothing of the drivers, so that it can disagree with them.
"""
