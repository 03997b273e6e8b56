from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import openclap
from openclap.checkpoints.native import Bundle, save_bundle
from openclap.errors import AudioError, AudioFormatError, AudioNotFoundError, CheckpointError, ConfigError
from openclap.inference import windows as windows_module
from openclap.inference.embedder import Embedder
from openclap.inference.windows import WindowConfig
from openclap.types import Waveform

Wav = Callable[..., Path]
SAME = 1e-6  # in cosine: batches of other shapes sum in another order


def assert_same(left: np.ndarray, right: np.ndarray) -> None:
    assert left.shape == right.shape
    assert ((left * right).sum(-1) > 1 - SAME).all()


def test_vectors_are_float32_of_unit_length(embedder: Embedder, wav: Wav) -> None:
    for vectors in (embedder.embed_audio([wav(0.5), wav(3.3)]), embedder.embed_text(["a dog barks", "rain"])):
        assert vectors.shape == (2, embedder.embed_dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_clip_has_the_same_vector_alone_in_any_batch_and_in_any_order(embedder: Embedder, wav: Wav) -> None:
    clips = [wav(0.3, seed=1), wav(1.0, seed=2), wav(4.7, seed=3), wav(2.5, 44100, seed=4), wav(0.9, seed=5)]
    together = embedder.embed_audio(clips)
    assert (together @ together.T - np.eye(5)).max() < 1 - 10 * SAME  # the sounds themselves differ
    for batch_size in (1, 3, 16):
        assert_same(embedder.embed_audio(clips, batch_size=batch_size), together)
    assert_same(embedder.embed_audio(clips[::-1])[::-1], together)
    for row, clip in enumerate(clips):
        assert_same(embedder.embed_audio(clip), together[row : row + 1])


def test_a_text_has_the_same_vector_alone_and_among_others(embedder: Embedder) -> None:
    texts = ["rain", "a bell rings twice, then an engine starts", "a dog barks", "", "rain falls on a roof " * 9]
    together = embedder.embed_text(texts)
    assert_same(embedder.embed_text(texts[::-1])[::-1], together)
    assert_same(np.concatenate([embedder.embed_text(text) for text in texts]), together)


def test_path_bytes_file_array_tensor_and_waveform_of_one_sound_have_one_vector(
    embedder: Embedder, wav: Wav, sound: Callable[..., np.ndarray]
) -> None:
    path, samples = wav(2.6, 22050), sound(2.6, 22050)
    clips = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), samples, torch.from_numpy(samples)]
    vectors = embedder.embed_audio([*clips, Waveform(samples, 22050)], sample_rate_hz=22050)
    assert_same(vectors, np.repeat(vectors[:1], 7, axis=0))


def test_a_long_clip_is_the_normalised_mean_of_its_windows(embedder: Embedder, wav: Wav) -> None:
    path = wav(3.5)
    (found,) = embedder.embed_audio(path, windows=True)
    assert [(w.start_s, w.end_s) for w in found] == [(0, 1), (1, 2), (2, 3), (2.5, 3.5)]
    mean = np.mean([w.vector for w in found], axis=0)
    assert_same(embedder.embed_audio(path)[0], mean / np.linalg.norm(mean))


def test_a_window_has_the_vector_of_that_part_of_the_sound(
    embedder: Embedder, sound: Callable[..., np.ndarray]
) -> None:
    samples = sound(3.5)
    (found,) = embedder.embed_audio(samples, sample_rate_hz=16000, windows=True)
    parts = [samples[int(w.start_s * 16000) : int(w.end_s * 16000)] for w in found]
    assert_same(np.stack([w.vector for w in found]), embedder.embed_audio(parts, sample_rate_hz=16000))


def test_sound_read_in_blocks_has_the_vector_of_sound_read_at_once(
    embedder: Embedder, wav: Wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wav(7.7, 44100)
    whole = embedder.embed_audio(path)
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    assert_same(embedder.embed_audio(path), whole)


def test_overlapping_windows_give_another_vector_and_identity(bundle: Bundle, embedder: Embedder, wav: Wav) -> None:
    overlapping = Embedder.from_bundle(bundle, windows=WindowConfig(hop_s=0.25))
    assert len(overlapping.embed_audio(wav(2.0), windows=True)[0]) == 5
    assert overlapping.identity != embedder.identity


def test_nothing_gives_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_audio([]).shape == (0, embedder.embed_dim)
    assert embedder.embed_audio([], windows=True) == []
    assert embedder.embed_text([]).shape == (0, embedder.embed_dim)
    assert embedder.similarity(embedder.embed_audio([]), embedder.embed_text(["rain"])).shape == (0, 1)


def test_a_clip_that_cannot_be_used_raises_with_its_name(embedder: Embedder, wav: Wav, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound at all")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        embedder.embed_audio([wav(0.5), broken])
    with pytest.raises(AudioNotFoundError, match=r"nowhere\.wav"):
        embedder.embed_audio("nowhere.wav")
    with pytest.raises(AudioFormatError, match="sample_rate_hz"):
        embedder.embed_audio(np.ones(16000, np.float32))
    with pytest.raises(Exception, match=r"is no sound|source"):  # the tests' type checker may speak first
        embedder.embed_audio([3.5])


def test_clips_that_cannot_be_used_may_be_nan_rows_and_the_others_are_as_ever(
    embedder: Embedder, wav: Wav, tmp_path: Path
) -> None:
    good = [wav(0.5, seed=1), wav(3.2, seed=2), wav(1.4, seed=3)]
    mixed = [good[0], tmp_path / "absent.wav", good[1], b"junk", good[2]]
    vectors = embedder.embed_audio(mixed, on_error="nan")
    assert np.isnan(vectors[[1, 3]]).all()
    assert_same(vectors[[0, 2, 4]], embedder.embed_audio(good))
    assert [len(windows) for windows in embedder.embed_audio(mixed, windows=True, on_error="nan")] == [1, 0, 4, 0, 2]


def test_a_stream_tells_the_reason_and_the_place_of_each_failure(embedder: Embedder, wav: Wav, tmp_path: Path) -> None:
    clips = [wav(0.5), tmp_path / "absent.wav", wav(2.5)]
    found = list(embedder.stream_audio(iter(clips), on_error="keep"))
    assert [clip.index for clip in found] == [0, 1, 2]
    assert [clip.source for clip in found] == [str(clip) for clip in clips]
    assert isinstance(found[1].error, AudioNotFoundError)
    assert found[1].vector is None
    assert len(found[2].windows) == 3


def test_a_file_that_breaks_off_after_some_windows_leaves_no_trace_in_the_next(
    embedder: Embedder, wav: Wav, sound: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    samples = sound(5.0)
    samples[70000] = np.nan
    good = wav(3.2, seed=9)
    vectors = embedder.embed_audio([samples, good], sample_rate_hz=16000, on_error="nan")
    assert np.isnan(vectors[0]).all()
    assert_same(vectors[1:], embedder.embed_audio(good))


def test_a_stream_may_be_left_early(embedder: Embedder, wav: Wav) -> None:
    path = wav(0.5)

    def endless():
        while True:
            yield path

    stream = embedder.stream_audio(endless())
    assert_same(next(stream).vector, embedder.embed_audio(path)[0])
    stream.close()


def test_similarity_is_the_cosine_of_every_pair(embedder: Embedder, wav: Wav) -> None:
    audio, text = embedder.embed_audio([wav(0.5), wav(1.5)]), embedder.embed_text(["rain", "a dog barks", "bell"])
    cosines = embedder.similarity(audio, text)
    assert cosines.shape == (2, 3)
    assert cosines.dtype == np.float32
    assert cosines[1, 2] == pytest.approx(float(audio[1] @ text[2]), abs=1e-6)
    with pytest.raises(ValueError, match=r"shape \(n, 32\)"):
        embedder.similarity(audio[0], text)


def test_classification_sorts_labels_by_probability(embedder: Embedder, wav: Wav) -> None:
    labels = ["dog", "rain", "bell"]
    found = embedder.classify(wav(1.5), labels)
    assert sorted(label for label, _ in found) == sorted(labels)
    probabilities = [probability for _, probability in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)


def test_probabilities_are_the_models_own_softmax(embedder: Embedder, bundle: Bundle, wav: Wav) -> None:
    labels = ["dog", "rain"]
    found = dict(embedder.classify(wav(1.5), labels, prompts="plain"))
    cosines = embedder.similarity(embedder.embed_audio(wav(1.5)), embedder.embed_text(labels))
    expected = torch.softmax(torch.from_numpy(cosines[0]) * bundle.model.logit_scale.exp(), dim=0)
    assert [found[label] for label in labels] == pytest.approx(expected.tolist(), abs=1e-6)


def test_multi_label_scores_do_not_depend_on_the_other_labels(embedder: Embedder, wav: Wav) -> None:
    one = dict(embedder.classify(wav(1.5), ["dog", "rain"], multi_label=True))
    two = dict(embedder.classify(wav(1.5), ["bell", "dog"], multi_label=True))
    assert one["dog"] == pytest.approx(two["dog"], abs=1e-6)
    assert -1 <= one["dog"] <= 1


def test_a_label_is_the_mean_of_its_prompts(embedder: Embedder) -> None:
    mean = embedder.embed_text(["a dog", "dog!"]).mean(axis=0)
    assert_same(embedder.embed_labels(["dog"], ["a {label}", "{label}!"])[0], mean / np.linalg.norm(mean))


@pytest.mark.parametrize(
    ("labels", "prompts", "message"),
    [
        ([], "plain", "at least one label"),
        ("dog", "plain", "list with at least one"),
        (["dog", "dog"], "plain", "'dog' twice"),
        (["dog", " "], "plain", "each a text"),
        ([1, 2], "plain", "each a text"),
        (["dog"], "plane", "did you mean 'plain'"),
    ],
)
def test_labels_that_cannot_be_used_are_explained(
    embedder: Embedder, wav: Wav, labels: list[str], prompts: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        embedder.classify(wav(0.5), labels, prompts=prompts)


def test_texts_must_be_strings(embedder: Embedder) -> None:
    with pytest.raises(Exception, match=r"list of strings|texts"):  # the tests' type checker may speak first
        embedder.embed_text(["rain", None])


def test_the_identity_changes_with_all_that_changes_a_vector(bundle: Bundle, embedder: Embedder) -> None:
    from openclap.audio.frontend import Frontend
    from openclap.models.clap import Clap
    from openclap.text.tokenizer import Tokenizer

    assert Embedder.from_bundle(bundle).identity == embedder.identity
    torch.manual_seed(1)
    other_weights = replace(bundle, model=Clap(bundle.config.model))
    other_sound = replace(bundle, frontend=Frontend(bundle.frontend.config.model_copy(update={"window_s": 2.0})))
    other_text = replace(bundle, tokenizer=Tokenizer.train(["other words"], 150, bundle.tokenizer.config))
    text = bundle.config.model.text
    pooled = bundle.config.model.model_copy(
        update={"text": text.model_copy(update={"options": {**text.options, "pooling": "cls"}})}
    )
    other_pooling = replace(bundle, model=Clap(pooled))
    other_pooling.model.load_state_dict(bundle.model.state_dict())
    identities = {
        Embedder.from_bundle(changed).identity
        for changed in (bundle, other_weights, other_sound, other_text, other_pooling)
    }
    assert len(identities) == 5


def test_a_saved_model_loads_in_another_process_with_the_same_identity_and_vectors(
    bundle: Bundle, embedder: Embedder, wav: Wav, tmp_path: Path
) -> None:
    save_bundle(bundle, tmp_path / "model")
    clips = [str(wav(0.7, 44100)), str(wav(2.3))]
    code = (
        "import sys, numpy, openclap\n"
        "model = openclap.load(sys.argv[1])\n"
        "audio, text = model.embed_audio(sys.argv[3:]), model.embed_text('a dog barks')\n"
        "numpy.save(sys.argv[2], numpy.concatenate([audio, text]))\n"
        "print(model.identity)"
    )
    out = tmp_path / "vectors.npy"
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), str(out), *clips],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == embedder.identity
    expected = np.concatenate([embedder.embed_audio(clips), embedder.embed_text("a dog barks")])
    assert_same(np.load(out), expected)


@pytest.mark.parametrize("wrong", [{"hop_s": 0}, {"hop_s": -1.0}, {"long": "whole"}])
def test_windows_that_cannot_be_are_named(bundle: Bundle, tmp_path: Path, wrong: dict[str, Any]) -> None:
    save_bundle(bundle, tmp_path / "model")
    with pytest.raises(ConfigError, match=rf"openclap\.load: {next(iter(wrong))}"):
        openclap.load(tmp_path / "model", check=False, **wrong)


def test_loading_gives_what_the_model_says_of_itself(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model")
    model = openclap.load(tmp_path / "model", hop_s=0.5)
    assert (model.name, model.embed_dim, model.sample_rate_hz, model.window_s) == ("tiny", 32, 16000, 1.0)
    assert model.provenance["license"] == "CC0-1.0"
    assert model.device == torch.device("cpu")
    with pytest.raises(CheckpointError, match="no file or directory"):
        openclap.load(tmp_path / "other")


def test_the_model_is_used_in_evaluation_mode_and_without_gradients(bundle: Bundle, wav: Wav) -> None:
    bundle.model.train()
    embedder = Embedder.from_bundle(bundle)
    assert not bundle.model.training
    first, second = embedder.embed_text("a dog barks"), embedder.embed_text("a dog barks")
    np.testing.assert_array_equal(first, second)
    assert all(weight.grad is None for weight in bundle.model.parameters())


def test_real_clips_of_every_format_have_one_vector_each_however_they_come(
    embedder: Embedder, starter_manifest: Path
) -> None:
    found = sorted((starter_manifest.parent / "audio").rglob("*"))
    clips = [path for path in found if path.suffix in {".ogg", ".flac", ".wav", ".opus", ".mp3"}][:12]
    together = embedder.embed_audio(clips)
    assert_same(np.concatenate([embedder.embed_audio(path.read_bytes()) for path in clips]), together)
    rate_hz = [soundfile.info(path).samplerate for path in clips]
    arrays = [
        Waveform(soundfile.read(p, dtype="float32", always_2d=True)[0].mean(1), r)
        for p, r in zip(clips, rate_hz, strict=True)
    ]
    assert_same(embedder.embed_audio(arrays), together)


def test_labels_may_come_in_any_collection(embedder: Embedder, wav: Wav) -> None:
    clip, labels = wav(0.5), ["dog", "rain"]
    expected = embedder.classify(clip, labels)
    for given in (np.array(labels), iter(labels), dict.fromkeys(labels)):
        assert embedder.classify(clip, given) == expected  # type: ignore[arg-type]


def test_a_misspelt_on_error_does_not_hide_errors(embedder: Embedder) -> None:
    with pytest.raises(ValueError, match="'raise' or 'nan', but is 'rais'"):
        embedder.embed_audio(["nowhere.wav"], on_error="rais")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="'raise' or 'keep', but is 'nan'"):
        embedder.stream_audio(["nowhere.wav"], on_error="nan")  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_here_is_explained(bundle: Bundle, tmp_path: Path, device: str) -> None:
    save_bundle(bundle, tmp_path / "tiny")
    with pytest.raises(ConfigError, match=f"device '{device}' cannot be used here"):
        openclap.load(tmp_path / "tiny", device=device)


def test_the_working_folder_can_be_the_model(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bundle(bundle, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path / "tiny")
    assert openclap.load(".").name == "tiny"
