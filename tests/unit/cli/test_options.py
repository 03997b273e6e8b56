"""What is typed after an option, as values."""

from __future__ import annotations

import json

import pytest
import typer

from openclap.cli.options import conditions, plain_settings
from openclap.data.manifest import read_manifest
from openclap.errors import ConfigError


@pytest.fixture
def manifest(tmp_path):
    rows = [
        {"audio": "a.wav", "caption": "a dog", "split": "train", "fold": 1, "indoors": True},
        {"audio": "b.wav", "labels": ["cat"], "split": "train", "fold": 2, "indoors": False},
        {"audio": "c.wav", "caption": "rain", "split": "test", "fold": 3, "indoors": True},
    ]
    path = tmp_path / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_manifest(path, check_files=False)


@pytest.mark.parametrize(
    ("where", "clips"),
    [
        (["split=train"], "a b"),
        (["fold=2"], "b"),
        (["fold=1", "fold=3"], "a c"),
        (["fold=1", "fold=3", "split=test"], "c"),
        (["has_caption=true"], "a c"),
        (["has_caption=false"], "b"),
        (["indoors=true"], "a c"),
    ],
)
def test_conditions_pick_the_clips_that_they_say(manifest, where, clips):
    assert [example.id.removesuffix(".wav") for example in manifest.select(**conditions(where))] == clips.split()


def test_a_condition_without_a_value_is_refused():
    with pytest.raises(typer.BadParameter, match="KEY=VALUE"):
        conditions(["split"])


def test_settings_are_yaml_and_numbers_as_people_write_them():
    given = ["a=1e-4", "b=[1, 2]", "c=null", "d=laion"]
    assert plain_settings(given) == {"a": 1e-4, "b": [1, 2], "c": None, "d": "laion"}


def test_a_setting_that_is_not_yaml_is_refused():
    with pytest.raises(ConfigError, match="is not YAML"):
        plain_settings(["prompts=[a"])
