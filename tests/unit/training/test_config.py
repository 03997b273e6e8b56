"""The tree of a run's settings, and which of them may change when it is resumed."""

from __future__ import annotations

import pytest

from openclap.audio.frontend import FRONTEND_PRESETS
from openclap.errors import ConfigError
from openclap.training.config import RunConfig, check_resumable

TREE = {
    "name": "tiny",
    "data": {"train": {"path": "sounds"}},
    "frontend": {},
    "model": {"audio": {"name": "htsat-micro"}, "text": {"name": "text-micro"}},
    "trainer": {"max_steps": 10},
}


@pytest.fixture
def config() -> RunConfig:
    return RunConfig.read(TREE)


def test_yaml_and_plain_values_are_two_writings_of_one_tree(config, tmp_path):
    (tmp_path / "run.yaml").write_text(config.yaml())
    assert RunConfig.read_yaml(tmp_path / "run.yaml") == config


def test_a_misspelt_setting_gets_the_right_one(config):
    with pytest.raises(ConfigError, match=r"optim\.text_encoder\.frozn.*did you mean 'frozen'"):
        config.override(["optim.text_encoder.frozn=true"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["trainer.max_steps=null"], "max_steps, max_epochs or max_minutes"),
        (["trainer.text_cache_bytes=1000"], r"set optim\.text_encoder\.frozen to true"),
        (["trainer.best_metric=validation/loss"], r"data\.validation is not set"),
        (["init=a", "text_init.source=b"], "not both"),
        (["init=a", "audio_init.source=b"], "its own audio encoder: set init or audio_init, not both"),
        (["text_init.source=b", "model.text.options.layers=1"], r"leave model\.text\.options out"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(config, settings, message):
    with pytest.raises(ConfigError, match=message):
        config.override(settings)


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        (["window_s=20"], r"1998 frames, but frontend\.mel\.frames 1024 .*set .*frames to null, or .* at most 10\.24$"),
        (["window_s=10.28"], "1026 frames"),
        (["window_s=10.24"], None),
        (["window_s=10.27"], None),  # one frame more, which some framings have anyway
        (["window_s=2"], None),  # much silence, but nothing is lost: AudioMAE's way with short clips
        (["window_s=20", "mel.frames=null"], None),
        (["window_s=10.24", "mel.framing=centre"], None),  # 1025 frames, as of every centred window
        (["window_s=10.24", "mel.framing=mirror-edges"], None),
    ],
)
def test_a_window_is_no_longer_than_what_is_kept_of_it(settings, fits):
    config = RunConfig.read(TREE | {"frontend": FRONTEND_PRESETS["audiomae"].plain()})
    settings = [f"frontend.{setting}" for setting in settings]
    if fits is None:
        assert config.override(settings).frontend.window_s
        return
    with pytest.raises(ConfigError, match=fits):
        config.override(settings)
    assert config.override([*settings, "init=bundle"]).init == "bundle"  # a model that hears so can be trained on


@pytest.mark.parametrize(
    "setting",
    ["data.train.path=elsewhere", "data.workers=5", "trainer.log_every=3", "trainer.keep=9", "trainer.device=cpu"],
)
def test_what_no_weight_depends_on_may_change(config, setting):
    check_resumable(config, config.override([setting]))


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("optim.lr=0.5", r"optim\.lr was 0\.001, now 0\.5"),
        ("trainer.max_steps=20", r"trainer\.max_steps was 10, now 20"),
        ("seed=1", "seed was 0, now 1"),
        ("data.train.where.split=train", r"data\.train\.where\.split was 'not set', now 'train'"),
        ("data.validation.path=x", r"data\.validation"),
        ("model.audio.options.drop_path=0.2", r"model\.audio\.options\.drop_path"),
    ],
)
def test_what_weights_depend_on_may_not_change_and_is_named(config, setting, key):
    with pytest.raises(ConfigError, match=key):
        check_resumable(config, config.override([setting]))
