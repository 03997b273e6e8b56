"""Optional imports: one way to ask for a package that an extra brings."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from openclap.errors import MissingExtraError


def require(package: str, *, extra: str, purpose: str) -> ModuleType:
    """The module `package`, imported now.

    Args:
        package: a module's dotted name.
        extra: the extra of openclap that installs it.
        purpose: what the caller wants it for; begins the error message.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        root = package.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != root:
            raise  # the package is there, and something that it needs is not: its own message says more
        raise MissingExtraError(root, extra, purpose) from error
