"""
Device settings: stored, checked and claimed.
"""
