"""An exported model gives openclap's vectors in ONNX Runtime: in any batch, at any length."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from openclap.checkpoints.exported import is_exported, read_exported
from openclap.checkpoints.load import load
from openclap.checkpoints.native import weights_digest
from openclap.errors import CheckpointError, ConfigError
from openclap.inference.embedder import Embedder

from .conftest import GPT2, TEXTS, make_bundle, without_shape_checks

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")

SAME = 1e-6  # of values up to 1: float32 sums in another order; 1e-7 was measured


def _run(path, **inputs):
    return onnxruntime.InferenceSession(path).run(None, inputs)[0]


def _sounds(batch, samples):
    clips = 0.2 * np.random.default_rng(samples).standard_normal((batch, samples))
    return (clips * np.linspace(0.01, 1, samples)).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.0])
def test_a_sound_has_the_embedders_vector(bundle, exported, batch, seconds):
    clips = _sounds(batch, round(seconds * 48_000))
    expected = Embedder.from_bundle(bundle).embed_audio(list(clips), sample_rate_hz=48_000)
    np.testing.assert_allclose(_run(exported / "audio.onnx", waveforms=clips), expected, atol=SAME)


def test_a_longer_sound_is_cropped(exported):
    clip = _sounds(1, 100_000)
    whole, first = (_run(exported / "audio.onnx", waveforms=c) for c in (clip, clip[:, :96_000]))
    np.testing.assert_array_equal(whole, first)


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], TEXTS[1:2], TEXTS[2:]])
def test_a_text_has_the_embedders_vector(bundle, exported, texts):
    batch = bundle.tokenizer(texts)
    found = _run(exported / "text.onnx", input_ids=batch.input_ids.numpy(), attention_mask=batch.attention_mask.numpy())
    np.testing.assert_allclose(found, Embedder.from_bundle(bundle).embed_text(texts), atol=SAME)


def test_real_sounds_and_captions_have_the_embedders_vectors(bundle, exported, starter_manifest, audiocaps_captions):
    rows = [json.loads(line) for line in starter_manifest.read_text(encoding="utf-8").splitlines()[::400]]
    loaded = [bundle.frontend.read(starter_manifest.parent / row["path"]).samples[:96_000] for row in rows]
    loaded = [samples for samples in loaded if samples.any()]  # of some the first two seconds are silent
    assert len(loaded) >= 4
    embedder = Embedder.from_bundle(bundle)
    for clip, expected in zip(loaded, embedder.embed_audio(loaded, sample_rate_hz=48_000), strict=True):
        # Real sound has bands of silence, where log-mel is the logarithm of what float32 leaves over.
        np.testing.assert_allclose(_run(exported / "audio.onnx", waveforms=clip[None])[0], expected, atol=1e-5)
    with (audiocaps_captions / "audiocaps_test.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["caption"] for row in csv.DictReader(file)][:32]
    batch = bundle.tokenizer(texts)
    found = _run(exported / "text.onnx", input_ids=batch.input_ids.numpy(), attention_mask=batch.attention_mask.numpy())
    np.testing.assert_allclose(found, embedder.embed_text(texts), atol=SAME)


def test_the_description_says_what_a_user_must_know(bundle, exported):
    config = read_exported(exported)
    assert is_exported(exported)
    assert (config.sample_rate_hz, config.window_samples, config.embed_dim) == (48_000, 96_000, 32)
    assert (config.max_tokens, config.end_tokens, config.pad_id, config.append) == (77, 1, 0, "")
    assert config.logit_scale == float(bundle.model.logit_scale.detach())
    assert config.identity == Embedder.from_bundle(bundle).identity
    assert config.provenance["license"] == "CC0"
    assert not config.fusion


def test_the_files_know_nothing_of_this_machine(exported):
    """A graph can hold where in which file each of its operations came from."""
    for file in exported.glob("*.onnx"):
        assert b"/openclap/" not in file.read_bytes()


def test_cnn_with_msclap_front_end_and_gpt2(tmp_path):
    """The 5 s window repeats what is shorter; GPT-2's text is pooled at its end token."""
    from openclap.export.write import export_bundle

    bundle = make_bundle({"name": "pann-micro"}, GPT2, "msclap-2022", window_s=1.0)
    before = weights_digest(bundle.model)
    with without_shape_checks():
        export_bundle(bundle, tmp_path / "model")
    assert weights_digest(bundle.model) == before
    clips, embedder = _sounds(3, 10_000), Embedder.from_bundle(bundle)
    found = _run(tmp_path / "model" / "audio.onnx", waveforms=clips)
    np.testing.assert_allclose(found, embedder.embed_audio(list(clips), sample_rate_hz=44_100), atol=SAME)
    batch = bundle.tokenizer(TEXTS)
    found = _run(
        tmp_path / "model" / "text.onnx",
        input_ids=batch.input_ids.numpy(),
        attention_mask=batch.attention_mask.numpy(),
    )
    np.testing.assert_allclose(found, embedder.embed_text(TEXTS), atol=SAME)


def test_vit_with_audiomae_front_end(tmp_path):
    """What is shorter than the window ends in features of 0, after as many frames as it has of its own."""
    from openclap.export.write import export_bundle

    bundle = make_bundle({"name": "vit-micro"}, {"name": "text-micro"}, "audiomae", window_s=1.0)
    with without_shape_checks():
        export_bundle(bundle, tmp_path / "model")
    embedder = Embedder.from_bundle(bundle)
    for samples in (300, 5_000, 16_000):
        clips = 0.1 + _sounds(2, samples)
        found = _run(tmp_path / "model" / "audio.onnx", waveforms=clips)
        # Between the loud mean and the quiet start, log-mel is the logarithm of what float32 leaves over.
        np.testing.assert_allclose(found, embedder.embed_audio(list(clips), sample_rate_hz=16_000), atol=1e-5)


def test_something_else_is_not_written_over(bundle, tmp_path):
    from openclap.export.write import export_bundle

    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="something else"):
        export_bundle(bundle, tmp_path)
    with pytest.raises(ConfigError, match="opset is 11"):
        export_bundle(bundle, tmp_path / "new", opset=11)


def test_an_exported_model_is_no_checkpoint(exported):
    with pytest.raises(CheckpointError, match="exported model"):
        load(exported)


def test_a_newer_or_broken_description_is_refused(exported, tmp_path):
    values = json.loads((exported / "export.json").read_text())
    (tmp_path / "export.json").write_text(json.dumps(values | {"format_version": 99}))
    with pytest.raises(CheckpointError, match="upgrade"):
        read_exported(tmp_path)
    (tmp_path / "export.json").write_text("{")
    with pytest.raises(CheckpointError, match="is not JSON"):
        read_exported(tmp_path)
