"""
How the manager is reached: control socket, who asks, client.
"""
