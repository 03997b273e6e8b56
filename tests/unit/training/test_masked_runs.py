"""Masked runs on real files: from a folder of bare sounds to FLAP, interrupted and not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import openclap
from openclap.audio.frontend import FrontendConfig
from openclap.checkpoints.adapters.audiomae import write_audiomae
from openclap.checkpoints.describe import describe
from openclap.checkpoints.native import load_bundle, save_bundle
from openclap.cli.app import run
from openclap.errors import ConfigError, DataError, EvaluationError
from openclap.inference.embedder import Embedder
from openclap.models.audio.vit import Vit, VitConfig
from openclap.models.mae_decoder import DecoderConfig, MaeDecoder, decoder_for
from openclap.training.config import RunConfig
from openclap.training.hooks import Hook
from openclap.training.setup import build_trainer

RATE_HZ = 8000
FRONTEND = {
    "window_s": 0.64,
    "mel": {
        "sample_rate_hz": RATE_HZ, "n_mels": 64, "n_fft": 512, "win_length": 400, "hop_length": 80, "frames": 64,
        "f_max_hz": 4000.0, "normalise_mean": -40.0, "normalise_std": 20.0,
    },
}  # fmt: skip
DECODER = {"dim": 32, "depth": 1, "heads": 2, "blocks": "global"}
QUIET = ["trainer.tensorboard=false", "trainer.curves=false"]


@pytest.fixture
def sounds(tmp_path) -> Path:
    """A folder of eight tones, and nothing that says what they are."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(8):
        wave = 0.3 * np.sin(2 * np.pi * 150 * 1.4**i * np.arange(9000) / RATE_HZ) + 0.01 * rng.normal(size=9000)
        soundfile.write(folder / f"{i}.wav", wave, RATE_HZ)
    return folder


@pytest.fixture
def mae(sounds) -> RunConfig:
    """Pre-training on sound alone."""
    return RunConfig.read(
        {
            "name": "mae",
            "data": {
                "train": {"path": str(sounds)}, "validation": {"path": str(sounds)}, "batch_size": 4, "workers": 0,
                "augment": {"roll": True, "gain": True},
            },
            "frontend": FRONTEND,
            "model": {
                "audio": {"name": "vit-micro", "options": {"n_mels": 64, "drop_path": 0.1}},
                "text": None,
                "decoder": DECODER,
            },
            "objective": {"name": "mae", "options": {"masking": {"kind": "1d", "ratio": 0.75}}},
            "trainer": {"max_steps": 6, "save_every": 3, "eval_every": 3, "precision": "fp32"},
        }
    ).override(QUIET)  # fmt: skip


@pytest.fixture
def flap(mae, sounds) -> RunConfig:
    """FLAP with reconstruction, on the same sounds with captions."""
    for i in range(8):
        (sounds / f"{i}.txt").write_text(f"{'low' if i < 4 else 'high'} tone number {i}", encoding="utf-8")
    values = mae.plain()
    values["name"] = "flap"
    values["model"] |= {"text": {"name": "text-micro", "options": {"layers": 1, "dim": 16}}, "embed_dim": 16}
    options = {"masking": {"kind": "energy", "ratio": 0.5}, "views": 2, "reconstruction": {"loss": "l1"}}
    values["objective"] = {"name": "flap", "loss": "infonce", "options": options}
    return RunConfig.read(values | {"vocab_size": 200, "tokenizer": {"max_length": 16}})


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_bundle(directory).model.state_dict()


class StoppedError(Exception):
    """As if the process had been killed."""


class Stop(Hook):
    """Ends a run after its fourth step, which is after its first checkpoint."""

    def on_step(self, record):
        if record.step == 4:
            raise StoppedError


@pytest.mark.parametrize("kind", ["mae", "flap"])
def test_a_run_that_is_stopped_and_resumed_has_the_bits_of_one_that_was_not(kind, request, tmp_path):
    config = request.getfixturevalue(kind)
    build_trainer(config, tmp_path / "whole").run()

    with pytest.raises(StoppedError):
        build_trainer(config, tmp_path / "parts", hooks=[Stop()]).run()
    torch.rand(7)  # whatever else was drawn meanwhile
    build_trainer(config, tmp_path / "parts").run(resume=True)
    whole, parts = weights(tmp_path / "whole" / "last"), weights(tmp_path / "parts" / "last")
    assert whole.keys() == parts.keys()
    assert all(whole[name].equal(parts[name]) for name in whole)


def test_a_model_of_sound_alone_is_saved_loaded_and_used(mae, sounds, tmp_path, capsys):
    build_trainer(mae, tmp_path / "run").run()
    last = tmp_path / "run" / "last"
    assert not (last.resolve() / "tokenizer.json").exists()
    embedder = openclap.load(last)  # with its checks: pytest makes warnings errors
    assert (embedder.has_text, embedder.embed_dim) == (False, 32)
    vectors = embedder.embed_audio([sounds / "0.wav", sounds / "7.wav"])
    assert vectors.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    with pytest.raises(ConfigError, match="has no text tower, since it was trained on sound alone"):
        embedder.embed_text("a tone")
    with pytest.raises(ConfigError, match="no text tower"):
        embedder.classify(sounds / "0.wav", ["low", "high"])
    assert ("tokenizer", "none in the file") in list(describe(last).rows())
    assert run(["export", str(last), str(tmp_path / "exported")]) == ConfigError.exit_code
    assert "has no text tower" in capsys.readouterr().err
    assert run(["eval", str(last), "retrieval", "--data", str(sounds)]) == EvaluationError.exit_code
    assert "task retrieval compares sounds with texts, but" in " ".join(capsys.readouterr().err.split())
    assert run(["info", str(last)]) == 0
    printed = capsys.readouterr().out
    assert "none" in printed
    assert "decoder" in printed


def test_a_decoder_decides_no_vector_and_no_identity(mae, sounds, tmp_path):
    bundle = build_trainer(mae, tmp_path / "run").bundle
    clip = sounds / "3.wav"
    embedder = Embedder.from_bundle(bundle)
    identity, vectors = embedder.identity, embedder.embed_audio(clip)
    for parameter in bundle.model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    again = Embedder.from_bundle(bundle)
    assert again.identity == identity
    assert np.array_equal(again.embed_audio(clip), vectors)
    final = Embedder.from_bundle(bundle, is_final=True)
    assert final.identity == identity
    np.testing.assert_allclose(final.embed_audio(clip), vectors, atol=1e-5)  # packed weights add in another order


def test_a_model_without_its_decoder_is_the_same_towers(flap, tmp_path):
    model = build_trainer(flap, tmp_path / "run").bundle.model
    bare = model.in_use()
    assert (bare.decoder, bare.resolved_config().decoder) == (None, None)
    assert model.decoder is not None
    assert bare.audio_encoder is model.audio_encoder
    assert bare.in_use() is bare


def test_a_bundle_keeps_its_decoder(flap, tmp_path):
    bundle = build_trainer(flap, tmp_path / "run").bundle
    save_bundle(bundle, tmp_path / "bundle")
    again = load_bundle(tmp_path / "bundle")
    assert again.config.model.decoder == DecoderConfig.read(DECODER)
    assert again.model.decoder.config == bundle.model.decoder.config
    found = again.model.state_dict()
    assert all(value.equal(found[name]) for name, value in bundle.model.state_dict().items())


def test_pre_training_gives_flap_its_encoder_and_decoder(mae, flap, tmp_path):
    build_trainer(mae, tmp_path / "mae").run()
    start = weights(tmp_path / "mae" / "last")
    config = flap.override([f"audio_init.source={tmp_path / 'mae' / 'last'}"])
    found = build_trainer(config, tmp_path / "flap").bundle.model.state_dict()
    parts = ("audio_encoder.", "decoder.")
    taken = [name for name in start if name.startswith(parts)]
    assert {name.partition(".")[0] + "." for name in taken} == set(parts)
    assert all(found[name].equal(start[name]) for name in taken)


def test_a_decoder_of_another_shape_starts_afresh(mae, flap, tmp_path):
    build_trainer(mae, tmp_path / "mae").run()
    source = f"audio_init.source={tmp_path / 'mae' / 'last'}"
    wider = build_trainer(flap.override([source, "model.decoder.dim=16"]), tmp_path / "flap").bundle.model
    fresh = build_trainer(flap.override(["model.decoder.dim=16"]), tmp_path / "fresh").bundle.model
    assert wider.decoder.embed.weight.shape == fresh.decoder.embed.weight.shape == (16, 32)


def test_audiomaes_file_gives_flap_its_encoder_and_decoder(flap, tmp_path):
    torch.manual_seed(3)
    encoder = Vit(VitConfig(dim=32, heads=2, depth=2, cls_token=True, positions="audiomae"))
    decoder = MaeDecoder(decoder_for(encoder, DecoderConfig(dim=32, depth=1, heads=16, blocks="global")))
    write_audiomae(tmp_path / "audiomae.pth", encoder, decoder)
    settings = [
        f"audio_init.source={tmp_path / 'audiomae.pth'}", "model.audio.options={}", "model.decoder.heads=16",
        "frontend.mel.n_mels=128",
    ]  # fmt: skip
    trainer = build_trainer(flap.override(settings), tmp_path / "run")
    found = trainer.bundle.model
    assert found.audio_encoder.blocks[1].mlp[0].weight.equal(encoder.blocks[1].mlp[0].weight)
    assert found.decoder.predict.weight.equal(decoder.predict.weight)
    assert trainer.run().step == 6


def test_a_run_on_sound_alone_goes_on_from_its_bundle(mae, tmp_path):
    build_trainer(mae, tmp_path / "first").run()
    second = build_trainer(mae.override([f"init={tmp_path / 'first' / 'last'}"]), tmp_path / "second")
    start, found = weights(tmp_path / "first" / "last"), second.bundle.model.state_dict()
    assert all(found[name].equal(value) for name, value in start.items())


def test_flap_wants_captions_where_mae_wants_none(flap, sounds, tmp_path):
    for file in sounds.glob("*.txt"):
        file.unlink()
    with pytest.raises((ConfigError, DataError), match="caption"):
        build_trainer(flap, tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.text=null"], r"'flap' needs a text tower"),
        (["model.decoder=null"], r"no decoder: set model\.decoder"),
        (["model.text=null", "text_init.source=x"], r"model\.text is null: set model\.text\.name to 'hf'"),
        (
            ["model.decoder.blocks=windows", "frontend.mel.frames=80"],
            r"set model\.decoder\.blocks=global, or .*frontend\.mel\.frames.* frontend\.window_s",
        ),
        (
            ["model.decoder.blocks=windows", "frontend.mel.frames=null", "frontend.length.short=keep"],
            r"frontend\.length\.short is 'keep', but model\.decoder\.blocks 'windows'",
        ),
    ],
)
def test_settings_that_do_not_fit_are_said_before_the_first_step(flap, settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build_trainer(flap.override(settings), tmp_path / "run")


def test_masked_training_and_unmasked_use_are_of_one_checkpoint(flap, sounds, tmp_path):
    result = build_trainer(flap, tmp_path / "run").run()
    bundle = load_bundle(tmp_path / "run" / "last")
    frontend = bundle.frontend
    batch = frontend.batch([frontend.load(sounds / "2.wav")])
    with torch.no_grad():
        expected = bundle.model.project_audio(bundle.model.audio_encoder(frontend(batch)).pooled).numpy()
    window = soundfile.read(sounds / "2.wav", dtype="float32", frames=int(0.64 * RATE_HZ))[0]
    found = Embedder.from_bundle(bundle).embed_audio(window, sample_rate_hz=RATE_HZ)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert {"validation/loss", "validation/reconstruction"} <= result.metrics.keys()


def test_the_windows_of_the_tests_are_whole_patches():
    assert FrontendConfig.read(FRONTEND).frames == 64
