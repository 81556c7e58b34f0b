"""
The log on disk, which is the queue: segments, index, cursors, rotation, retention.
"""
