"""
One device's policy run: fetch, guard, plan, apply, read back, remember.
"""
