"""
What pages show: frozen values and the words for them.  Pure.
"""
