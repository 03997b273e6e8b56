"""Recipes on other data: filters stay where they can be answered."""

from __future__ import annotations

import pytest

from openclap.errors import ManifestError
from openclap.recipes.own_data import with_data
from openclap.recipes.registry import recipes


def _manifest(tmp_path, rows):
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_a_tree_that_reads_back(name):
    config = recipes.get(name)()
    assert type(config).read(config.plain()) == config
    assert config.name == name


@pytest.mark.parametrize("name", recipes.names())
def test_no_recipe_trains_or_validates_on_a_test_split(name):
    data = recipes.get(name)().data
    assert "test" not in str(data.train.where.get("split"))
    assert data.validation is None or data.validation.where.get("split") != "test"


def test_splits_that_the_manifest_states_are_kept(tmp_path):
    path = _manifest(tmp_path, ["path,caption,split", "a.wav,a,train", "b.wav,b,validation", "c.wav,c,test"])
    config, notes = with_data(recipes.get("demo")(), path)
    assert notes == []
    assert (config.data.train.path, config.data.train.where) == (str(path), {"split": "train"})
    assert config.data.validation is not None
    assert config.data.validation.where == {"split": "validation"}


def test_without_splits_all_clips_are_for_training_and_this_is_said(tmp_path):
    path = _manifest(tmp_path, ["path,caption", "a.wav,a", "b.wav,b"])
    config, notes = with_data(recipes.get("demo")(), path)
    assert config.data.train.where == {}
    assert config.data.validation is None
    assert "split" in notes[0]
    assert "--validation" in notes[1]


def test_a_manifest_without_a_validation_split_has_no_validation(tmp_path):
    path = _manifest(tmp_path, ["path,caption,split", "a.wav,a,train", "b.wav,b,test"])
    config, notes = with_data(recipes.get("demo")(), path)
    assert config.data.train.where == {"split": "train"}
    assert config.data.validation is None
    assert len(notes) == 1


def test_a_manifest_for_validation_is_taken_whole(tmp_path):
    path = _manifest(tmp_path, ["path,caption", "a.wav,a"])
    other = tmp_path / "other"
    config, _ = with_data(recipes.get("starter")(), path, other)
    assert config.data.validation is not None
    assert (config.data.validation.path, config.data.validation.where) == (str(other), {})


def test_a_manifest_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ManifestError):
        with_data(recipes.get("demo")(), tmp_path / "none.csv")


def test_a_recipe_s_licence_does_not_speak_for_other_data(tmp_path):
    path = _manifest(tmp_path, ["path,caption", "a.wav,a"])
    assert recipes.get("demo")().license is not None
    assert with_data(recipes.get("demo")(), path)[0].license is None
