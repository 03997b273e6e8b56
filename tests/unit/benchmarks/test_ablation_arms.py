"""The arms of `benchmarks/ablation.py` and `demo.py`: each is a run of its recipe with what its name says."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from openclap.recipes.registry import recipes
from openclap.training.config import RunConfig
from openclap.training.objectives.base import build_objective


@pytest.fixture
def ablation(load) -> ModuleType:
    return load("ablation")


def run_of(recipe: str, settings: list[str]) -> RunConfig:
    run = recipes.get(recipe)().override(settings)
    build_objective(run.objective)  # its options are read here
    return run


@pytest.mark.parametrize(
    ("arm", "kind", "kept", "decoded"),
    [
        ("none", "none", 248, None),
        ("1d", "1d", 29, None),
        ("2d", "2d", 28, None),
        ("none-recon", "none", 248, 1.0),
        ("1d-recon", "1d", 29, 1.0),
        ("2d-recon", "2d", 28, 1.0),
        ("1d-light", "1d", 29, 0.25),
        ("block", "block", 29, None),
        ("energy", "energy", 29, None),
        ("pretrained", "1d", 29, None),
    ],
)
def test_an_arm_masks_and_reconstructs_as_its_name_says(ablation, arm, kind, kept, decoded):
    run = run_of("flap-tiny", [*ablation.arm_settings(arm), *ablation.WHOLE])
    masking = build_objective(run.objective).config.masking
    assert masking.kind == kind
    assert masking.kept(248, 8) == kept
    reconstruction = build_objective(run.objective).config.reconstruction
    assert (None if reconstruction is None else reconstruction.share) == decoded
    assert (run.model.decoder is None) == (decoded is None)
    assert run.data.validation is None


def test_htsat_has_the_optimiser_or_its_own(ablation):
    tiny, starter = recipes.get("flap-tiny")(), recipes.get("starter")()
    same = run_of("starter", ablation.arm_settings("htsat"))
    own = run_of("starter", ablation.arm_settings("htsat-adamw"))
    assert (same.optim.name, same.optim.lr) == (tiny.optim.name, tiny.optim.lr)
    assert own.optim == starter.optim
    assert same.data.augment == own.data.augment == tiny.data.augment


def test_minutes_become_steps_where_the_machine_was_calibrated(ablation, tmp_path):
    assert ablation.end_after("1d", 3, tmp_path) == ["trainer.max_minutes=3"]
    (tmp_path / "calibration.json").write_text(json.dumps({"1d": 1.5, "start": 30.0}))
    counted = ["trainer.max_steps=100", "trainer.max_minutes=null"]
    assert ablation.end_after("1d", 3, tmp_path) == ablation.end_after("pretrained", 3, tmp_path) == counted
    assert ablation.end_after("2d", 3, tmp_path) == ["trainer.max_minutes=3"]


def test_the_demos_arms_keep_its_captions_true(load):
    demo, plain = load("demo"), recipes.get("demo")()
    assert demo.arm_settings("htsat", 0.75) == []
    for arm in ("htsat-muon", "flap"):
        run = run_of("demo", demo.arm_settings(arm, 0.75))
        assert run.data.augment == plain.data.augment  # nothing is rolled or made louder
        assert run.data.train == plain.data.train
        assert run.model.text == plain.model.text
        assert run.optim.name == "muon"
    assert build_objective(run.objective).config.masking.ratio == 0.75
