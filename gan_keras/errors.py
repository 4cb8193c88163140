"""Errors that a user can act on."""


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one line: what was passed, what is wanted, how to get it. The command line
    prints it and exits with status 2; Python callers see an ordinary ``ValueError``.
    """
