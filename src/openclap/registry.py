"""Names to factories. A new encoder, loss, corpus, task or recipe is one file that registers itself."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Generic, TypeVar

from openclap.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named entries of one kind, found by importing the modules of one package at the first look-up.

    Args:
        kind: what an entry is, for error messages ("audio encoder").
        package: dotted name of the package whose modules register entries; its own `__init__` stays empty.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._searched = False

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that enters what it decorates under `name`.

        Raises:
            ValueError: if the name is taken.
        """

        def enter(entry: T) -> T:
            self.add(name, entry)
            return entry

        return enter

    def add(self, name: str, entry: T) -> None:
        """Enter `entry` under `name`."""
        if name in self._entries:
            raise ValueError(f"the {self.kind} {name!r} is already registered")
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """The entry named `name`.

        Raises:
            UnknownNameError: with the nearest names.
        """
        self._search()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self._search()
        return sorted(self._entries)

    def _search(self) -> None:
        if self._searched:
            return
        package = import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            import_module(module.name)
        self._searched = True  # only now: after a module that failed, the next look-up fails as clearly
