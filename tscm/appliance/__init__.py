"""
What `tsadmin` sets up of the appliance's own machine: its network, its time servers and its name.
"""
