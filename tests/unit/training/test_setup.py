"""From a config to a run, on real files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openclap.checkpoints.native import load_bundle
from openclap.errors import ConfigError, DataError, TrainingError
from openclap.text.tokenizer import Tokenizer
from openclap.training.config import RunConfig
from openclap.training.run_directory import RunDirectory
from openclap.training.setup import build_bundle, build_trainer

FRONTEND = {
    "window_s": 0.5,
    "mel": {"sample_rate_hz": 8000, "n_fft": 512, "win_length": 512, "hop_length": 80, "f_max_hz": 4000.0},
}
CAPTIONS = ["a low hum", "a deep tone", "a flute", "a whistle", "a bird", "a very high squeak"]


@pytest.fixture
def sounds(tmp_path) -> Path:
    """Six tones with a caption each, and a manifest."""
    rows = []
    for i, caption in enumerate(CAPTIONS):
        wave = 0.3 * np.sin(2 * np.pi * 150 * 1.6**i * np.arange(5000) / 8000)
        soundfile.write(tmp_path / f"{i}.wav", wave, 8000)
        rows.append({"audio": f"{i}.wav", "caption": caption, "license": "CC0-1.0" if i else None})
    return write_manifest(tmp_path, rows)


def write_manifest(folder: Path, rows: list[dict]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config(sounds) -> RunConfig:
    return RunConfig.read(
        {
            "name": "tones",
            "data": {
                "train": {"path": str(sounds)},
                "validation": {"path": str(sounds)},
                "batch_size": 3,
                "workers": 0,
            },
            "frontend": FRONTEND,
            "model": {
                "audio": {"name": "htsat-micro", "options": {"depths": [1, 1, 1]}},
                "text": {"name": "text-micro", "options": {"layers": 1, "dim": 16}},
                "embed_dim": 16,
            },
            "tokenizer": {"max_length": 16},
            "vocab_size": 200,
            "trainer": {"max_steps": 3, "precision": "fp32", "log_every": 1},
            "license": "CC-BY-4.0",
        }
    )


def quiet(config: RunConfig, *settings: str) -> RunConfig:
    return config.override(["trainer.tensorboard=false", "trainer.curves=false", *settings])


def test_a_run_leaves_everything_that_describes_it(config, tmp_path):
    pytest.importorskip("tensorboardX")
    out = tmp_path / "run"
    result = build_trainer(config, out).run()
    assert result.step == 3
    names = {path.name for path in out.iterdir()}
    assert names == {"config.yaml", "log.jsonl", "tensorboard", "curves.png", "checkpoints", "best", "last"}
    assert RunConfig.read_yaml(out / "config.yaml") == config
    bundle = load_bundle(out / "best")
    provenance = bundle.provenance
    assert provenance["license"] == "CC-BY-4.0"
    assert provenance["data"]["train"]["clips"] == 6
    assert provenance["data"]["train"]["licenses"] == {"CC0-1.0": 5, "not stated": 1}
    assert provenance["config_digest"] == config.digest()
    assert provenance["step"] == 3
    assert provenance["metrics"]["validation/loss"] == pytest.approx(result.metrics["validation/loss"])
    assert {"openclap", "torch"} <= set(provenance["versions"])


def test_building_a_trainer_writes_nothing(config, tmp_path):
    build_trainer(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_text_encoder_gets_as_many_tokens_as_the_tokenizer_learnt(config, tmp_path):
    bundle = build_trainer(config, tmp_path / "run").bundle
    assert bundle.model.text_encoder.vocab_size == bundle.tokenizer.vocab_size <= 200


def test_the_same_seed_gives_the_same_first_weights_and_another_seed_others(config, tmp_path):
    scales = []
    for seed in (0, 0, 1):
        torch.rand(seed)  # whatever the caller drew before
        model = build_trainer(config.override([f"seed={seed}"]), tmp_path / "run").bundle.model
        scales.append(model.audio_projection.state_dict())
    first, second, third = (torch.cat([value.flatten() for value in state.values()]) for state in scales)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_a_directory_with_a_run_is_not_written_over(config, tmp_path):
    config = quiet(config)
    build_trainer(config, tmp_path / "run").run()
    with pytest.raises(TrainingError, match="already holds a run"):
        build_trainer(config, tmp_path / "run").run()


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_two_do_not_train_in_one_directory_at_once(config, tmp_path):
    config, out = quiet(config), tmp_path / "run"
    build_trainer(config, out).run()
    with RunDirectory(out, config, "").held(), pytest.raises(TrainingError, match="another process is training"):
        build_trainer(config, out).run(resume=True)
    build_trainer(config, out).run(resume=True)


def test_there_must_be_a_run_to_resume(config, tmp_path):
    with pytest.raises(TrainingError, match="no run to resume"):
        build_trainer(quiet(config), tmp_path / "run").run(resume=True)


def test_other_captions_than_the_run_was_started_with_are_refused(config, sounds, tmp_path):
    config = quiet(config)
    build_trainer(config, tmp_path / "run").run()
    sounds.write_text(sounds.read_text().replace("a flute", "a clarinet"))
    with pytest.raises(ConfigError, match="are not those"):
        build_trainer(config, tmp_path / "run").run(resume=True)


def test_data_that_only_moved_are_the_same(config, sounds, tmp_path):
    config = quiet(config)
    build_trainer(config, tmp_path / "run").run()
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in (*tmp_path.glob("*.wav"), sounds):
        path.rename(moved / path.name)
    paths = [f"data.{part}.path={moved / 'manifest.jsonl'}" for part in ("train", "validation")]
    assert build_trainer(config.override(paths), tmp_path / "run").run(resume=True).step == 3


def test_a_run_can_start_from_the_weights_of_another(config, tmp_path):
    config = quiet(config)
    build_trainer(config, tmp_path / "first").run()
    start = load_bundle(tmp_path / "first" / "last")
    second = build_trainer(config.override([f"init={tmp_path / 'first' / 'last'}", "seed=9"]), tmp_path / "second")
    found = second.bundle.model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in start.model.state_dict().items())
    assert second.run().step == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("frontend.window_s=0.7", r"frontend\.window_s is 0\.7, but the model in init"),
        ("model.embed_dim=32", r"model\.embed_dim is 32"),
        ("model.audio.options.depths=[1,1,2]", r"model\.audio"),
        ("tokenizer.max_length=12", r"tokenizer\.max_length"),
    ],
)
def test_weights_to_start_from_must_be_of_the_same_model(config, tmp_path, setting, message):
    config = quiet(config, "trainer.max_steps=1")
    build_trainer(config, tmp_path / "first").run()
    given = config.override([f"init={tmp_path / 'first' / 'last'}", setting])
    with pytest.raises(ConfigError, match=message):
        build_trainer(given, tmp_path / "second")


def test_a_pretrained_text_encoder_brings_weights_and_tokenizer(config, tmp_path):
    from transformers import BertConfig, BertModel

    tokenizer = Tokenizer.train(CAPTIONS, 150)
    hf = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    pretrained = BertModel(hf)
    pretrained.save_pretrained(tmp_path / "bert")
    tokenizer.save(tmp_path / "bert")
    given = quiet(
        config,
        f"text_init.source={tmp_path / 'bert'}",
        "model.text={name: hf}",
        "optim.text_encoder.frozen=true",
        "trainer.text_cache_bytes=100000",
    )
    trainer = build_trainer(given, tmp_path / "run")
    trainer.run()
    bundle = load_bundle(tmp_path / "run" / "last")
    words = "embeddings.word_embeddings.weight"
    assert torch.equal(bundle.model.text_encoder.state_dict()[f"backbone.{words}"], pretrained.state_dict()[words])
    assert bundle.tokenizer.vocab_size == tokenizer.vocab_size


def test_a_front_end_that_does_not_fit_the_encoder_is_named_with_both_sides(config, tmp_path):
    with pytest.raises(ConfigError, match=r"frontend\.mel\.n_mels is 32.*64"):
        build_trainer(config.override(["frontend.mel.n_mels=32"]), tmp_path / "run")


def test_clips_without_words_are_refused_before_training(config, sounds, tmp_path):
    rows = [{"audio": f"{i}.wav"} for i in range(6)]
    write_manifest(sounds.parent, rows)
    with pytest.raises(DataError, match="neither a caption nor a label"):
        build_trainer(config, tmp_path / "run")


def with_made_captions(folder: Path) -> Path:
    """The six tones, each with a made caption and a negative."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["made"] = [{"text": f"one hears {row['caption']}", "maker": "k2c"}]
        row["negatives"] = [
            {"text": f"not {row['caption']}", "kind": "order", "of": row["caption"], "maker": "negatives"}
        ]
    (folder / "made").mkdir()
    return write_manifest(folder / "made", [row | {"audio": f"../{row['audio']}"} for row in rows])


def test_made_captions_are_trained_with_and_never_validated_with(config, sounds, tmp_path, monkeypatch):
    path = with_made_captions(tmp_path)
    weights = 'data.captions.weights={"k2c": 1.0}'
    run = quiet(config, f"data.train.path={path}", f"data.validation.path={path}", weights)
    read = []
    call = Tokenizer.__call__
    monkeypatch.setattr(Tokenizer, "__call__", lambda self, texts: read.extend(texts) or call(self, texts))
    build_trainer(run.override(["trainer.max_steps=2"]), tmp_path / "run").run()  # an epoch, then a validation
    assert sorted(read) == sorted(CAPTIONS + [f"one hears {caption}" for caption in CAPTIONS])


def test_negatives_are_learnt_from_and_their_accuracy_is_logged_and_validated(config, tmp_path):
    path = with_made_captions(tmp_path)
    run = quiet(config, f"data.train.path={path}", f"data.validation.path={path}", "data.captions.negatives=1")
    result = build_trainer(run, tmp_path / "run").run()
    assert 0 <= result.metrics["validation/negative_accuracy"] <= 1
    steps = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all("negative_accuracy" in step for step in steps if step["kind"] == "step")


def test_a_source_of_captions_that_the_data_lack_is_refused_before_training(config, tmp_path):
    with pytest.raises(DataError, match=r"captions.weights names 'llm', but .* original \(6 clips\)"):
        build_trainer(quiet(config, 'data.captions.weights={"llm": 1.0}'), tmp_path / "run")


def test_the_first_bundle_can_be_had_without_a_trainer(config):
    from openclap.data.loader import read_source

    bundle = build_bundle(config, read_source(config.data.train))
    assert bundle.config.name == "tones"


@pytest.mark.parametrize("key", ["objective.loss=siglp", "objective.name=contrastiv"])
def test_an_unknown_objective_or_loss_gets_the_nearest_name(config, tmp_path, key):
    with pytest.raises(ConfigError, match="did you mean"):
        build_trainer(config.override([key]), tmp_path / "run")


def test_an_option_that_the_objective_does_not_take_is_refused(config, tmp_path):
    with pytest.raises(ConfigError, match=r"objective\.options"):
        build_trainer(config.override(["objective.options.mask_ratio=0.5"]), tmp_path / "run")


def test_it_trains_with_the_sigmoid_loss_and_its_bias(config, tmp_path):
    given = quiet(config, "objective.loss=siglip", "model.init_logit_bias=-10", "trainer.max_steps=2")
    trainer = build_trainer(given, tmp_path / "run")
    trainer.run()
    assert float(trainer.bundle.model.logit_bias.detach()) != -10
    assert notices(tmp_path / "run") == []


def test_a_sigmoid_loss_without_a_learnt_bias_is_said_once_at_the_start(config, tmp_path):
    given = quiet(config, "objective.loss=siglip")
    build_trainer(given, tmp_path / "run").run()
    [notice] = notices(tmp_path / "run")
    assert notice["step"] == 0
    assert "set model.init_logit_bias to -10 and model.init_logit_scale to 2.303" in notice["message"]
    build_trainer(given, tmp_path / "run").run(resume=True)
    assert len(notices(tmp_path / "run")) == 1
    start = f"init={tmp_path / 'run' / 'last'}"
    build_trainer(given.override([start]), tmp_path / "next").run()
    assert "since the model in init has none" in notices(tmp_path / "next")[0]["message"]


def notices(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "notice"]


def test_what_the_caller_evaluates_can_choose_the_best(config, tmp_path):
    seen = []

    def evaluate(bundle) -> dict[str, float]:
        seen.append(bundle.model.training)
        return {"recall": float(len(seen))}

    given = quiet(config, "trainer.best_metric=recall", "trainer.best_mode=max", "trainer.eval_every=1")
    result = build_trainer(given, tmp_path / "run", evaluate=evaluate).run()
    assert (result.best.metric, result.best.value, result.best.step) == ("recall", 3.0, 3)
    assert seen == [False] * 3


def test_training_starts_from_a_pretrained_audio_encoder(config, tmp_path):
    from openclap.checkpoints.adapters.audiomae import write_audiomae
    from openclap.models.zoo import audio_encoders

    vit = audio_encoders.get("vit-micro")(cls_token=True, positions="audiomae")
    write_audiomae(tmp_path / "pretrained.pth", vit)
    settings = (
        "model.audio={name: vit-micro, options: {drop_path: 0.1}}",
        "frontend.mel.n_mels=128",
        f"audio_init.source={tmp_path / 'pretrained.pth'}",
    )
    trainer = build_trainer(quiet(config, *settings), tmp_path / "run")
    encoder = trainer.bundle.model.audio_encoder
    first = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert all(torch.equal(first[name], value) for name, value in vit.state_dict().items())
    assert encoder.config.drop_path == 0.1
    trainer.run()
    learnt = load_bundle(tmp_path / "run" / "last")
    assert learnt.model.resolved_config().audio.options["positions"] == "audiomae"
    assert not torch.equal(learnt.model.audio_encoder.state_dict()["cls_token"], first["cls_token"])
