"""Errors that a user can cause and mend.

Every message is one sentence saying what went wrong, where and why; the hint says what to do.
Each class carries the exit code of the command line (architecture page, section 6). Anything that
is not one of these is a defect in Plumbline.
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_DONE = 0
EXIT_DEFECT = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_REFUSED = 4
EXIT_CANCELLED = 130


class UserError(Exception):
    """Something the user can mend.

    Parameters
    ----------
    message : str
        One translated sentence: what, where, why.
    hint : str
        One translated sentence: what to do.
    details : str
        Technical text for "copy details" and the log; may be empty.
    """

    exit_code = EXIT_USAGE

    def __init__(self, message: str, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str, str]]:
        # Errors cross process borders (children that load files); keep all three parts.
        return (type(self), (self.message, self.hint, self.details))


class UsageError(UserError):
    """Wrong command line, invalid parameter or option."""

    exit_code = EXIT_USAGE


class InputError(UserError):
    """A file or project that cannot be read or written."""

    exit_code = EXIT_INPUT


class MissingCrsError(InputError):
    """A layer has no CRS where one is needed; the GUI asks, the command line names the option."""


class RefusedError(UserError):
    """An analysis refuses its inputs and says why."""

    exit_code = EXIT_REFUSED


class CancelledError(UserError):
    """The user cancelled; nothing was changed."""

    exit_code = EXIT_CANCELLED

    def __init__(self, message: str = "Cancelled.", hint: str = "", details: str = "") -> None:
        super().__init__(message, hint, details)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a request, found before anything runs.

    Attributes
    ----------
    field : str
        Name of the parameter it belongs to, empty when it concerns the whole request.
    message : str
        Translated sentence.
    severity : str
        ``"error"`` blocks the run, ``"warning"`` does not.
    """

    field: str
    message: str
    severity: str = "error"
