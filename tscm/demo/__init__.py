"""
The whole product on one machine: two simulated firewalls, services, SIEM, proxy, and a balance.
"""
