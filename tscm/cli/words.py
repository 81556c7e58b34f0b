"""
Values that the shell completes: a few words, readers of a log, entries of the portal.
"""

import click
from click.shell_completion import CompletionItem


class Words(click.ParamType[str]):
    """
    One of a few words.  Whether it is one is for those to say who read the value.
    """

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """The words themselves."""
        del param, ctx
        return "|".join(self.words)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that begin so, in any case."""
        del ctx, param
        begun = incomplete.lower()
        return [CompletionItem(one) for one in self.words if one.lower().startswith(begun)]
