"""
`python -m tscm`: the same as `tsadmin`.
"""

from tscm.cli.main import main

if __name__ == "__main__":
    main()
