"""
The whole product on one machine: simulated firewalls, services, SIEM, proxy, and a balance.
"""

from tscm.demo.run import run_demo

__all__ = ["run_demo"]
