"""A clip longer than the window is heard in four views, the same ones every time unless a generator draws them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend, FrontendConfig, int16_round_trip
from openclap.audio.fusion import FusionConfig, fused_views, part_starts
from openclap.audio.mel import LogMel, MelConfig
from openclap.errors import ConfigError
from openclap.types import AudioBatch, Clip

DATA = Path(__file__).with_name("data")
HOP, WINDOW, FRAMES = 80, 1600, 21
MEL = MelConfig(sample_rate_hz=8000, n_fft=256, win_length=256, hop_length=HOP, n_mels=8, f_max_hz=4000.0)
CONFIG = FrontendConfig(window_s=0.2, mel=MEL, int16_round_trip=True, fusion=FusionConfig())
NOISE = (0.3 * np.random.default_rng(0).standard_normal(8 * WINDOW)).astype(np.float32)


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(CONFIG)


def views_of(clip: Clip) -> np.ndarray:
    assert clip.views is not None
    return clip.views


def log_mel(samples: np.ndarray) -> np.ndarray:
    return LogMel(MEL)(torch.from_numpy(int16_round_trip(samples))).numpy()


def thirds(n_starts: int) -> list[list[int]]:
    return [list(map(int, third)) or [0] for third in np.array_split(np.arange(n_starts), 3)]


def bilinear(mel: np.ndarray, frames: int) -> np.ndarray:
    """Each new frame lies between the two old ones around its centre."""
    out = np.zeros((frames, mel.shape[1]))
    for frame in range(frames):
        place = min(max((frame + 0.5) * len(mel) / frames - 0.5, 0.0), len(mel) - 1.0)
        below, share = math.floor(place), place - math.floor(place)
        out[frame] = (1 - share) * mel[below] + share * mel[min(below + 1, len(mel) - 1)]
    return out


def antialiased(mel: np.ndarray, frames: int) -> np.ndarray:
    """Each new frame is the mean of the old ones under a triangle as wide as two new frames."""
    out, scale = np.zeros((frames, mel.shape[1])), len(mel) / frames
    for frame in range(frames):
        distances = np.abs(np.arange(len(mel)) + 0.5 - (frame + 0.5) * scale)
        weights = np.maximum(0.0, 1.0 - distances / scale)
        out[frame] = weights @ mel / weights.sum()
    return out


class TestPlaces:
    @pytest.mark.parametrize("n_starts", range(1, 40))
    def test_are_the_middles_of_the_thirds_that_array_split_makes(self, n_starts: int) -> None:
        assert list(part_starts(n_starts)) == [third[len(third) // 2] for third in thirds(n_starts)]

    @given(n_starts=st.integers(1, 2000), seed=st.integers(0, 2**32))
    @settings(deadline=None)
    def test_are_drawn_one_from_each_third(self, n_starts: int, seed: int) -> None:
        places = part_starts(n_starts, torch.Generator().manual_seed(seed))
        assert all(place in third for place, third in zip(places, thirds(n_starts), strict=True))

    def test_drawn_ones_reach_every_start(self) -> None:
        generator = torch.Generator().manual_seed(0)
        drawn = [part_starts(8, generator) for _ in range(200)]  # one of 3 is missed with a chance of 3 (2/3)^200
        assert [sorted(set(column)) for column in zip(*drawn, strict=True)] == thirds(8)


class TestViews:
    @given(n_samples=st.integers(WINDOW + HOP, len(NOISE)), resize=st.sampled_from(["antialias", "bilinear"]))
    @settings(max_examples=40, deadline=None)
    def test_are_the_whole_shrunk_and_three_parts_of_it(self, n_samples: int, resize: str) -> None:
        fusion = FusionConfig.read({"global_resize": resize})
        clip = Frontend(CONFIG.model_copy(update={"fusion": fusion})).fit(NOISE[:n_samples])
        whole = log_mel(NOISE[:n_samples])
        starts = [third[len(third) // 2] for third in thirds(len(whole) - FRAMES + 1)]
        assert clip.is_longer
        assert views_of(clip).shape == (4, FRAMES, 8)
        shrunk = antialiased(whole, FRAMES) if resize == "antialias" else bilinear(whole, FRAMES)
        np.testing.assert_allclose(views_of(clip)[0], shrunk, atol=1e-3)  # dB; float32 in another order
        np.testing.assert_array_equal(views_of(clip)[1:], [whole[start : start + FRAMES] for start in starts])

    @pytest.mark.parametrize("frames", range(1, 11))
    def test_of_few_frames_more_than_the_window_lie_where_the_thirds_do(self, frontend: Frontend, frames: int) -> None:
        samples = NOISE[: WINDOW + frames * HOP]
        whole = log_mel(samples)
        assert len(whole) == FRAMES + frames
        for start, view in zip(part_starts(frames + 1), views_of(frontend.fit(samples))[1:], strict=True):
            np.testing.assert_array_equal(view, whole[start : start + FRAMES])

    @pytest.mark.parametrize("surplus", [1, HOP - 1])
    def test_are_the_whole_four_times_where_it_is_longer_by_less_than_a_hop(
        self, frontend: Frontend, surplus: int
    ) -> None:
        clip = frontend.fit(NOISE[: WINDOW + surplus])
        assert not clip.is_longer
        np.testing.assert_array_equal(views_of(clip), [log_mel(NOISE[: WINDOW + surplus])] * 4)

    @pytest.mark.parametrize("n_samples", [1, 100, WINDOW])
    def test_of_a_short_clip_are_its_one_view_four_times(self, frontend: Frontend, n_samples: int) -> None:
        clip = frontend.fit(NOISE[:n_samples])
        assert clip.views is None
        assert not clip.is_longer
        features = frontend(frontend.batch([clip])).numpy()
        np.testing.assert_array_equal(features[0], [LogMel(MEL)(torch.from_numpy(clip.samples)).numpy()] * 4)

    @given(seed=st.integers(0, 2**32), other=st.integers(0, 2**32))
    @settings(max_examples=20, deadline=None)
    def test_are_a_function_of_the_seed(self, frontend: Frontend, seed: int, other: int) -> None:
        def drawn(number: int) -> Clip:
            return frontend.fit(NOISE, torch.Generator().manual_seed(number))

        one, again = drawn(seed), drawn(seed)
        np.testing.assert_array_equal(views_of(one), views_of(again))
        np.testing.assert_array_equal(one.samples, again.samples)
        np.testing.assert_array_equal(views_of(one)[0], views_of(drawn(other))[0])  # the whole is not drawn

    def test_differ_between_seeds(self, frontend: Frontend) -> None:
        drawn = [views_of(frontend.fit(NOISE, torch.Generator().manual_seed(n)))[1:].tobytes() for n in range(8)]
        assert len(set(drawn)) == 8  # of 50^3 sets of places: alike with a chance of 2e-4, and the seeds are fixed

    def test_need_as_many_frames_as_the_window_has(self) -> None:
        with pytest.raises(ValueError, match="5 frames has no views of 6"):
            fused_views(torch.zeros(5, 8), 6, FusionConfig())


class TestBatches:
    @given(order=st.permutations([100, WINDOW, WINDOW + 30, WINDOW + HOP, 3 * WINDOW, 8 * WINDOW]))
    @settings(max_examples=10, deadline=None)
    def test_change_no_clip(self, frontend: Frontend, order: list[int]) -> None:
        clips = [frontend.fit(NOISE[:n_samples]) for n_samples in order]
        batch = frontend.batch(clips)
        assert batch.is_longer.tolist() == [n_samples >= WINDOW + HOP for n_samples in order]
        assert batch.ready is not None
        assert batch.ready.rows.tolist() == [row for row, n_samples in enumerate(order) if n_samples > WINDOW]
        features = frontend(batch)
        assert features.shape == (6, 4, FRAMES, 8)
        for row, clip in enumerate(clips):
            alone = frontend(frontend.batch([clip]))
            torch.testing.assert_close(features[row], alone[0], rtol=0, atol=0)
            if clip.views is not None:
                np.testing.assert_array_equal(features[row].numpy(), clip.views)

    def test_take_their_views_along_to_another_device(self, frontend: Frontend) -> None:
        batch = frontend.batch([frontend.fit(NOISE)]).to("meta")
        assert isinstance(batch, AudioBatch)
        assert batch.ready is not None
        assert {batch.ready.rows.device.type, batch.ready.features.device.type} == {"meta"}

    def test_without_a_long_clip_or_without_fusion_carry_no_views(self, frontend: Frontend) -> None:
        assert frontend.batch([frontend.fit(NOISE[:100])]).ready is None
        plain = Frontend(CONFIG.model_copy(update={"fusion": None}))
        clip = plain.fit(NOISE)
        assert clip.is_longer
        assert plain.batch([clip]).ready is None
        assert (plain.views, frontend.views) == (1, 4)
        assert plain(plain.batch([clip])).shape == (1, 1, FRAMES, 8)


def test_a_clip_does_not_keep_the_long_sound_in_memory(frontend: Frontend) -> None:
    plain = Frontend(CONFIG.model_copy(update={"fusion": None, "int16_round_trip": False}))
    for clip in (frontend.fit(NOISE), plain.fit(NOISE)):
        assert clip.samples.base is None
        assert len(clip.samples) == WINDOW


def test_fusion_refuses_features_of_a_fixed_number_of_frames() -> None:
    with pytest.raises(ConfigError, match=r"mel\.frames 1024 cuts long clips"):
        FrontendConfig.read(FRONTEND_PRESETS["audiomae"].plain() | {"fusion": {}})


VECTORS = np.load(DATA / "fusion.npz")


@pytest.mark.parametrize("peer", ["laion", "huggingface"])
@pytest.mark.parametrize("n_samples", [5279, 5280, 5760, 13440])
def test_views_are_the_peers_own(peer: str, n_samples: int) -> None:
    resize = {"laion": "antialias", "huggingface": "bilinear"}[peer]
    fusion = FusionConfig.read({"global_resize": resize})
    update = {"window_s": 0.1, "int16_round_trip": False, "fusion": fusion}  # their callers round, not these functions
    signal = np.load(DATA / "log_mel.npz")["signal/48000"][:n_samples]
    clip = Frontend(FRONTEND_PRESETS["laion-fusion"].model_copy(update=update)).fit(signal)
    assert clip.is_longer == (n_samples in VECTORS["longer"])
    # dB: float32's rounding of the loud bands is all that is there in the quiet ones (see test_mel_vectors).
    np.testing.assert_allclose(views_of(clip)[..., ::8], VECTORS[f"{peer}/{n_samples}"], atol=0.005)
