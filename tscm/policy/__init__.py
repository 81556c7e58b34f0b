"""
Lists of networks: from records to sets, through the guard, into a plan.  Pure.
"""
