"""What is registered is found, named alike, and documented: a new entry is tested because it is registered."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from openclap.errors import UnknownNameError
from openclap.registry import Registry


@pytest.fixture(scope="module")
def registries(modules) -> dict[str, Registry]:
    """Every registry of the package, by what its entries are called."""
    found = {}
    for module in modules:
        if re.search(r"\bRegistry\b", module.text) and module.name != "openclap.registry":
            for value in vars(import_module(module.name)).values():
                if isinstance(value, Registry):
                    found[value.kind] = value
    return found


def test_the_registries_are_these(registries):
    assert set(registries) == {
        "audio encoder",
        "caption stage",
        "checkpoint format",
        "text encoder",
        "loss",
        "reconstruction loss",
        "objective",
        "corpus",
        "sound source",
        "task",
        "recipe",
    }


def test_every_registry_has_entries(registries):
    assert not [kind for kind, registry in registries.items() if not registry.names()]


def test_every_name_is_lower_case_words_joined_by_hyphens(registries):
    names = [name for registry in registries.values() for name in registry.names()]
    assert not [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)]


def test_every_entry_says_what_it_is(registries):
    entries = [(kind, name, registry.get(name)) for kind, registry in registries.items() for name in registry.names()]
    assert not [(kind, name) for kind, name, entry in entries if not (entry.__doc__ or "").strip()]


def test_a_name_that_is_nearly_right_gets_the_right_one(registries):
    for registry in registries.values():
        name = registry.names()[0]
        with pytest.raises(UnknownNameError, match=re.escape(repr(name))):
            registry.get(f"{name}x")
