"""
The reader of the spool that turns lines into what the lists did.
"""
