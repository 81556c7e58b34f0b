"""
The reader of the spool that brings the policy's lines to the log service.
"""
