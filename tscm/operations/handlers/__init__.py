"""
The handlers, by noun: a module for each `Operation.room`, imported when it is first needed.
"""
