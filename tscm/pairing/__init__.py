"""
Managers that follow a portal: codes, documents of settings, the portal's listener, and the follower.
"""
