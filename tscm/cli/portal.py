"""
`tsadmin portal`: device entries of the embedded policy and log service.
"""

import click


@click.group()
def command() -> None:
    """
    Device entries of the embedded services.
    """
