"""
Backups: one archive of everything that makes a node, made beside a running manager, and its restore.
"""
