"""Clips that keep their length have the features that they have alone, whatever they share a batch with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend, FrontendConfig
from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig
from openclap.errors import AudioFormatError, ConfigError

AUDIOMAE = MEL_PRESETS["audiomae"]
KALDI = AUDIOMAE.model_copy(update={"frames": None})
LENGTHS = [16_000, 400, 7_333, 559, 560, 16_000, 1_000]
# One of each framing, and what looks at a whole clip: its mean, its maximum.
MELS = {
    "kaldi": KALDI,
    "mirrored": KALDI.model_copy(update={"framing": "mirror-edges"}),
    "reflected": MEL_PRESETS["laion"].model_copy(update={"top_db": 40.0}),
    "centred, zeros": MEL_PRESETS["laion"].model_copy(update={"pad_mode": "zeros", "remove_waveform_mean": True}),
}


def keeping(mel: MelConfig = KALDI, **options: Any) -> Frontend:
    return Frontend(FrontendConfig.read({"window_s": 1.0, "length": {"short": "keep"}, "mel": mel.plain()} | options))


def sound(n_samples: int) -> Float32[np.ndarray, " samples"]:
    """Noise with an offset, so that a mean over more than the clip would show, and another level in each clip."""
    noise = np.random.default_rng(n_samples).standard_normal(n_samples)
    return (noise * 1e-5 * n_samples + 0.05).astype(np.float32)


def batch_of(lengths: list[int], mel: MelConfig) -> Tensor:
    waveforms = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        waveforms[row, :length] = torch.from_numpy(sound(length))
    return waveforms


@pytest.mark.parametrize("name", MELS)
def test_features_are_bit_for_bit_those_of_the_clip_alone(name: str) -> None:
    log_mel = LogMel(MELS[name])
    lengths = [length for length in LENGTHS if length >= MELS[name].shortest_clip]
    features = log_mel(batch_of(lengths, MELS[name]), lengths)
    for length, found in zip(lengths, features, strict=True):
        alone = log_mel(torch.from_numpy(sound(length)))
        assert torch.equal(found[: len(alone)], alone)


@pytest.mark.parametrize("name", MELS)
def test_many_clips_at_once_give_the_same_as_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a GPU, where the Fourier transform takes many clips at a time.
    log_mel = LogMel(MELS[name])
    lengths = [length for length in LENGTHS if length >= MELS[name].shortest_clip]
    waveforms = batch_of(lengths, MELS[name])
    expected = log_mel(waveforms, lengths)
    for at_once in (3, 100):
        monkeypatch.setattr(LogMel, "_clips_at_once", lambda *_, at_once=at_once: at_once)
        # One product of many rows sums in another order than several of few, in energies that a logarithm spreads.
        torch.testing.assert_close(log_mel(waveforms, lengths), expected, atol=1e-4, rtol=1e-4)


def test_frames_after_a_clip_are_zeros_before_normalising() -> None:
    features = LogMel(AUDIOMAE)(batch_of([16_000, 1_000], AUDIOMAE), [16_000, 1_000])
    assert features.shape == (2, 1024, 128)
    nothing = -AUDIOMAE.normalise_mean / (2 * AUDIOMAE.normalise_std)
    assert torch.equal(features[1, 4:], torch.full((1020, 128), nothing))
    assert not (features[1, :4] == nothing).any()
    assert not (features[0, :98] == nothing).any()


def test_a_clip_too_short_for_a_frame_is_named() -> None:
    with pytest.raises(AudioFormatError, match="300 samples are too few"):
        LogMel(KALDI)(torch.zeros(2, 16_000), [16_000, 300])


def test_a_batch_says_how_long_each_clip_is() -> None:
    frontend = keeping()
    clips = [frontend.fit(sound(n)) for n in (4_000, 100, 20_000)]
    batch = frontend.batch(clips)
    assert batch.waveforms.shape == (3, 16_000)
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [4_000, 400, 16_000]  # the second got what one frame needs, the third the window
    assert batch.frames is not None
    assert batch.frames.tolist() == [23, 1, 98]
    assert batch.is_longer.tolist() == [False, False, True]
    np.testing.assert_array_equal(batch.waveforms[0, :4_000], sound(4_000))
    assert not batch.waveforms[0, 4_000:].any()


def test_short_clips_make_a_short_batch() -> None:
    frontend = keeping()
    batch = frontend.batch([frontend.fit(sound(n)) for n in (4_000, 3_000)])
    assert batch.waveforms.shape == (2, 4_000)
    assert frontend(batch).shape == (2, 1, 23, 128)


def test_lengths_stay_where_shapes_are_decided() -> None:
    frontend = keeping()
    batch = frontend.batch([frontend.fit(sound(4_000))]).to("meta")
    assert batch.waveforms.device.type == "meta"
    assert batch.lengths is not None
    assert batch.frames is not None
    assert batch.lengths.device.type == batch.frames.device.type == "cpu"


@pytest.mark.parametrize("seconds", [0.3, 2.0, 9.99, 10.0, 12.0])
def test_audiomae_pads_features_and_not_samples(seconds: float) -> None:
    frontend = Frontend(FRONTEND_PRESETS["audiomae"])
    samples = sound(round(seconds * 16_000))
    batch = frontend.batch([frontend.fit(samples), frontend.fit(sound(8_000))])
    assert batch.frames is None  # the encoder hears the frames of zeros, as AudioMAE does
    features = frontend(batch)
    assert features.shape == (2, 1, 1024, 128)
    fbank = LogMel(KALDI)(torch.from_numpy(samples[:160_000])) * (2 * 4.5689974) - 4.2677393
    padded = np.pad(fbank.numpy(), ((0, 1024 - len(fbank)), (0, 0)))  # as its data set does: features, then zeros
    expected = (padded + 4.2677393) / (2 * 4.5689974)  # and then normalises
    np.testing.assert_allclose(features[0, 0], expected, atol=1e-6)


def test_other_policies_say_no_lengths() -> None:
    frontend = Frontend(FRONTEND_PRESETS["msclap-2022"])
    batch = frontend.batch([frontend.fit(sound(4_000))])
    assert batch.lengths is None
    assert batch.frames is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mel": {"frames": 1024}}, "length.short is 'keep', but mel.frames 1024"),
        ({"fusion": {}}, "length.short is 'keep', but fusion"),
        ({"fusion": {}, "length": {"short": "zero-pad-features"}}, "'zero-pad-features', but fusion"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        FrontendConfig.read({"length": {"short": "keep"}} | changes)
