"""
The manager: all rooms of one root in one process.
"""
