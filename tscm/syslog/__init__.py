"""
Syslog as it stands on the wire and in the log: pure functions over bytes.
"""
