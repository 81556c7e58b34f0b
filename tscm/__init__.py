"""
Syslog collector and policy manager for Cisco ASA firewalls.
"""

__version__ = "0.1.0"
