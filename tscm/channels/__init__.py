"""
The ways on which the manager tells people and systems elsewhere: mail, webhook, syslog.
"""
