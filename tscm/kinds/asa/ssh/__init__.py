"""
A classic ASA by its command line over SSH.
"""
