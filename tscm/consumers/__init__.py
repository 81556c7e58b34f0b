"""
What all readers of a device's log have in common.
"""
