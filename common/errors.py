"""The one error an operator sees: what failed, where, and what to do about it."""


def printable(text: str) -> str:
    """Text with every character that a terminal would obey written out, such as `\\x1b`."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


class OperatorError(Exception):
    """A failure told in one line, free of secrets.

    Args:
        what: what failed, in a few words.
        where: the thing it failed on: a property, a route, a file and line.
        remedy: what the operator can do now.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        text = f"{where}: {what}" if where else what
        super().__init__(" ".join(f"{text}. {remedy}".split()) if remedy else " ".join(text.split()))

    def __init_subclass__(cls) -> None:
        cls.__module__, cls.__qualname__ = "builtins", "OperatorError"


# A provider process prints exceptions with module path and class; an operator has no use for either.
OperatorError.__module__ = "builtins"
