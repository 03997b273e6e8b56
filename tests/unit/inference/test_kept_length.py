"""A model that hears short sounds in their own length, from file to vector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.length import LengthConfig
from openclap.audio.mel import MEL_PRESETS
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, BundleConfig, check_parts, save_bundle
from openclap.errors import ConfigError
from openclap.inference.embedder import Embedder
from openclap.inference.windows import Window, WindowConfig, read_windows
from openclap.models.clap import Clap, ClapConfig, EncoderConfig

Wav = Callable[..., Path]
SAME = 1e-6  # in cosine: batches of other shapes sum in another order
FRONTEND = FrontendConfig(
    window_s=2.0,
    length=LengthConfig(short="keep"),
    mel=MEL_PRESETS["audiomae"].model_copy(update={"frames": None}),
)


@pytest.fixture(scope="module")
def keeping() -> Bundle:
    config = ClapConfig(audio=EncoderConfig(name="vit-micro"), text=None)
    torch.manual_seed(0)
    model = Clap(config)
    return Bundle(model, Frontend(FRONTEND), None, BundleConfig(name="keeping", model=config, frontend=FRONTEND), {})


def expected(bundle: Bundle, samples: np.ndarray) -> np.ndarray:
    """The vector of samples as they are, by the parts alone."""
    with torch.inference_mode():
        features = bundle.frontend.log_mel(torch.from_numpy(samples))[None, None]
        return bundle.model.eval().encode_audio(features)[0].numpy()


def test_a_clip_is_heard_as_it_is(keeping: Bundle, sound: Callable[..., np.ndarray]) -> None:
    clips = [sound(seconds, seed=seed) for seed, seconds in enumerate([0.3, 2.0, 1.1, 0.025])]
    vectors = Embedder.from_bundle(keeping).embed_audio(clips, sample_rate_hz=16_000)
    for clip, vector in zip(clips, vectors, strict=True):
        assert vector @ expected(keeping, clip) > 1 - SAME


def test_a_batch_gives_what_its_clips_give_alone(keeping: Bundle, wav: Wav) -> None:
    # As on a GPU, where windows of all lengths go through the model together.
    embedder = Embedder.from_bundle(keeping)
    paths = [wav(seconds, seed=seed) for seed, seconds in enumerate([0.3, 2.0, 1.1, 0.01, 0.3])]
    windows = [window for path in paths for window in read_windows(path, None, keeping.frontend, WindowConfig())]
    together = embedder._embed_clips(windows)
    for path, vector in zip(paths, together, strict=True):
        assert vector @ embedder.embed_audio(path)[0] > 1 - SAME


def test_a_long_sound_is_heard_in_whole_windows(keeping: Bundle, wav: Wav) -> None:
    found: list[Window] = list(read_windows(wav(4.5), None, keeping.frontend, WindowConfig()))
    assert [(window.start_s, window.end_s) for window in found] == [(0, 2), (2, 4), (2.5, 4.5)]
    assert {len(window.clip.samples) for window in found} == {32_000}


def test_the_policy_is_part_of_the_model(keeping: Bundle, wav: Wav, tmp_path: Path) -> None:
    path = wav(0.7)
    save_bundle(keeping, tmp_path / "model")
    again, before = Embedder.from_bundle(load(tmp_path / "model")), Embedder.from_bundle(keeping)
    assert again.identity == before.identity
    np.testing.assert_array_equal(again.embed_audio(path), before.embed_audio(path))


def test_another_encoder_does_not_take_the_front_end(keeping: Bundle, bundle: Bundle) -> None:
    mixed = Bundle(bundle.model, Frontend(FRONTEND), None, keeping.config, {})
    mixed.frontend.config = FRONTEND.model_copy(update={"mel": bundle.frontend.config.mel})
    with pytest.raises(ConfigError, match=r"frontend\.length\.short is 'keep', but audio encoder 'htsat-micro'"):
        check_parts(mixed)
