"""The names that users may rely on are pinned: a change of them is a decision, not an accident."""

from __future__ import annotations

import pytest

import openclap
from openclap import errors

PUBLIC = ["Embedder", "OpenclapError", "__version__", "list_models", "load"]

EXIT_CODES = {
    "OpenclapError": 1,
    "ConfigError": 2,
    "AudioError": 3,
    "DataError": 3,
    "MissingExtraError": 4,
    "CheckpointError": 5,
    "TrainingError": 6,
    "EvaluationError": 7,
}


def test_the_public_names_are_these():
    assert openclap.__all__ == PUBLIC
    assert dir(openclap) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there(name):
    assert getattr(openclap, name) is not None


def test_a_name_that_is_not_there_says_which_are():
    with pytest.raises(AttributeError, match="list_models"):
        openclap.embed_everything  # noqa: B018


def test_exit_codes_are_stable():
    assert {name: getattr(errors, name).exit_code for name in EXIT_CODES} == EXIT_CODES


def test_every_error_is_an_openclap_error_and_documented():
    raised = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, errors.OpenclapError | UserWarning) for error in raised)
    assert all(error.__doc__ and error.__name__ in (errors.__doc__ or "") for error in raised)
