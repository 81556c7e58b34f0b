"""
Cisco ASA: its object-groups, access-lists and platforms, and the ways to it.
"""
