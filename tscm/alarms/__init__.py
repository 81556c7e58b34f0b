"""
Alarms: what is wrong, for how long, and who has been told of it.
"""
