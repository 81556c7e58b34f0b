"""
SQLite: policy generations, push history, roll-ups.
"""
