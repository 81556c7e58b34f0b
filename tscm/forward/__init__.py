"""
The reader of the spool that sends lines to a SIEM.
"""
