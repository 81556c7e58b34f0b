"""
Values to JSON and back, as the control interface carries them.
"""
