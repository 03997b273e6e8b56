"""Errors keep their exit codes, their parts, and their way through a worker process."""

from __future__ import annotations

import inspect
import pickle

import pytest

from openclap import errors
from openclap.optional import require

_TREE = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.OpenclapError)]


@pytest.mark.parametrize("cls", _TREE, ids=lambda c: c.__name__)
def test_every_error_is_drawn_in_the_tree_with_its_exit_code(cls: type[errors.OpenclapError]) -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if cls.__name__ in line.split()]
    assert len(lines) == 1
    if "exit_code" in vars(cls):
        assert str(cls.exit_code) in lines[0].split()


@pytest.mark.parametrize(
    "error",
    [
        errors.SilentAudioError("a.wav", "every sample is zero"),
        errors.ManifestError("m.csv", "no caption", 7),
        errors.UnknownNameError("recipe", "dem", ["demo", "starter"]),
        errors.MissingExtraError("av", "media", "M4A sound"),
        errors.ConfigError("plain"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_survives_the_way_back_from_a_worker(error: errors.OpenclapError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_unknown_names_suggest_the_nearest_or_list_all() -> None:
    assert "did you mean 'demo'?" in str(errors.UnknownNameError("recipe", "dmeo", ["demo", "starter"]))
    assert "known: demo, starter" in str(errors.UnknownNameError("recipe", "zzz", ["starter", "demo"]))


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(errors.MissingExtraError, match=r"M4A sound needs 'no_such_package'.*openclap\[media\]"):
        require("no_such_package.inner", extra="media", purpose="M4A sound")
    assert require("json", extra="media", purpose="nothing").__name__ == "json"


def test_long_lists_of_names_are_cut_and_the_rest_is_counted() -> None:
    assert errors.some("abcd") == "a, b, c, d"
    assert errors.some(name for name in "abcdef") == "a, b, c, d and 2 more"
    assert errors.some([]) == "nothing"
