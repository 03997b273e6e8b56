"""Long sound of a model with feature fusion: four views of up to a stretch, and stretch after stretch of more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import openclap
from openclap.audio.decode import decode
from openclap.audio.frontend import Frontend
from openclap.audio.resample import resample
from openclap.checkpoints.native import Bundle, save_bundle
from openclap.errors import ConfigError
from openclap.inference import windows as windows_module
from openclap.inference.embedder import Embedder
from openclap.inference.windows import Window, WindowConfig, read_windows

Sound = Callable[..., np.ndarray]
Wav = Callable[..., Path]
SAME = 1e-6  # in cosine: batches of other shapes sum in another order
STRETCHES = WindowConfig(stretch_s=3.0)


@pytest.fixture
def frontend(fused_bundle: Bundle) -> Frontend:
    return fused_bundle.frontend


def places(found: list[Window]) -> list[tuple[float, float]]:
    return [(window.start_s, window.end_s) for window in found]


def assert_same(left: np.ndarray, right: np.ndarray) -> None:
    assert left.shape == right.shape
    assert ((left * right).sum(-1) > 1 - SAME).all()


class TestReading:
    @pytest.mark.parametrize(
        ("seconds", "expected"),
        [
            (1.5, [(0, 1.5)]),
            (3.0, [(0, 3)]),
            (3.25, [(0, 3), (0.25, 3.25)]),
            (7.5, [(0, 3), (3, 6), (4.5, 7.5)]),
        ],
    )
    @pytest.mark.parametrize("rate_hz", [16_000, 44_100])
    def test_each_stretch_is_what_the_front_end_makes_of_its_samples(
        self, frontend: Frontend, wav: Wav, rate_hz: int, seconds: float, expected: list[tuple[float, float]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
        path = wav(seconds, rate_hz)
        whole = resample(decode(path), 16_000).samples
        found = list(read_windows(path, None, frontend, STRETCHES))
        assert places(found) == expected
        assert [window.is_last for window in found] == [False] * (len(found) - 1) + [True]
        for window in found:
            alone = frontend.fit(whole[round(window.start_s * 16_000) : round(window.end_s * 16_000)])
            assert window.clip.is_longer
            np.testing.assert_array_equal(window.clip.samples, alone.samples)
            assert window.clip.views is not None
            assert alone.views is not None
            np.testing.assert_array_equal(window.clip.views, alone.views)

    @pytest.mark.parametrize("seconds", [0.4, 1.0])
    def test_a_sound_no_longer_than_the_window_is_read_as_by_a_plain_model(
        self, frontend: Frontend, bundle: Bundle, sound: Sound, seconds: float
    ) -> None:
        (ours,) = read_windows(sound(seconds), 16_000, frontend, STRETCHES)
        (plain,) = read_windows(sound(seconds), 16_000, bundle.frontend, WindowConfig())
        assert (ours.clip.views, ours.clip.is_longer) == (None, False)
        assert places([ours]) == places([plain])
        np.testing.assert_array_equal(ours.clip.samples, plain.clip.samples)

    def test_windows_of_a_fused_front_end_are_plain_ones(
        self, frontend: Frontend, bundle: Bundle, sound: Sound
    ) -> None:
        ours = list(read_windows(sound(2.2), 16_000, frontend, WindowConfig(long="windows", hop_s=0.5)))
        plain = list(read_windows(sound(2.2), 16_000, bundle.frontend, WindowConfig(hop_s=0.5)))
        assert places(ours) == places(plain) == [(0, 1), (0.5, 1.5), (1, 2), (1.2, 2.2)]
        for one, other in zip(ours, plain, strict=True):
            assert (one.clip.views, one.clip.is_longer) == (None, False)
            np.testing.assert_array_equal(one.clip.samples, other.clip.samples)

    def test_what_a_front_end_cannot_do_is_refused(self, frontend: Frontend, bundle: Bundle) -> None:
        with pytest.raises(ConfigError, match=r"long is 'fusion', but .* has none .* give long 'windows'"):
            Embedder.from_bundle(bundle, windows=WindowConfig(long="fusion"))
        with pytest.raises(ConfigError, match=r"stretch_s 1 must be longer than the model's window of 1 s"):
            next(read_windows(np.ones(99, np.float32), 16_000, frontend, WindowConfig(stretch_s=1.0)))


_PEAK = """
import sys
from pathlib import Path
from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.inference.windows import WindowConfig, read_windows

def peak_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

frontend = Frontend(FrontendConfig.model_validate_json(sys.argv[1]))
before = None
for count, window in enumerate(read_windows(sys.argv[2], None, frontend, WindowConfig(stretch_s=60.0)), 1):
    before = before or peak_kb()
print(count, before, peak_kb())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a process's peak memory from")
def test_an_hour_takes_no_more_memory_than_its_first_stretch(frontend: Frontend, tmp_path: Path) -> None:
    minute = (np.random.default_rng(0).standard_normal(60 * 16_000) * 3000).astype(np.int16)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(minute)
    arguments = [frontend.config.model_dump_json(), str(tmp_path / "hour.wav")]
    run = subprocess.run([sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True)
    count, first_kb, peak_kb = map(int, run.stdout.split())
    assert count == 60
    # Of 225,000 kB as float32; a stretch is 3,750 kB. A few of them stand in memory beside the blocks, and the C
    # library keeps as many again (27,700 kB were seen).
    assert peak_kb - first_kb < 80_000


class TestVectors:
    def test_a_stretch_has_the_vector_of_its_four_views(
        self, fused_embedder: Embedder, fused_bundle: Bundle, wav: Wav
    ) -> None:
        frontend, model = fused_bundle.frontend, fused_bundle.model
        audio = frontend.batch([frontend.load(wav(3.5))])
        with torch.inference_mode():
            expected = model.encode_audio(frontend(audio), torch.tensor([True])).numpy()
            unfused = model.encode_audio(frontend(audio), torch.tensor([False])).numpy()
        assert_same(fused_embedder.embed_audio(wav(3.5)), expected)
        assert (expected * unfused).sum() < 1 - 10 * SAME  # the views matter

    def test_are_the_same_alone_in_any_batch_and_in_any_order(self, fused_embedder: Embedder, wav: Wav) -> None:
        clips = [wav(0.3, seed=1), wav(1.0, seed=2), wav(3.7, seed=3), wav(9.5, 44_100, seed=4), wav(2.9, seed=5)]
        together = fused_embedder.embed_audio(clips)
        assert (together @ together.T - np.eye(5)).max() < 1 - 10 * SAME  # the sounds themselves differ
        assert_same(fused_embedder.embed_audio(clips[::-1])[::-1], together)
        for row, clip in enumerate(clips):
            assert_same(fused_embedder.embed_audio(clip, batch_size=1), together[row : row + 1])

    def test_of_more_than_a_stretch_are_the_normalised_mean_of_the_stretches(
        self, fused_embedder: Embedder, sound: Sound
    ) -> None:
        samples = sound(9.5)
        (found,) = fused_embedder.stream_audio(samples, sample_rate_hz=16_000)
        assert [(part.start_s, part.end_s) for part in found.windows] == [(0, 4), (4, 8), (5.5, 9.5)]
        parts = [samples[:64_000], samples[64_000:128_000], samples[-64_000:]]
        vectors = fused_embedder.embed_audio(parts, sample_rate_hz=16_000)
        assert_same(np.stack([part.vector for part in found.windows]), vectors)
        mean = vectors.mean(axis=0)
        assert found.vector is not None
        assert_same(found.vector, mean / np.linalg.norm(mean))

    def test_a_vector_a_window_is_that_of_the_window_alone(self, fused_embedder: Embedder, sound: Sound) -> None:
        samples = sound(3.5)
        (found,) = fused_embedder.embed_audio(samples, sample_rate_hz=16_000, windows=True)
        assert [(part.start_s, part.end_s) for part in found] == [(0, 1), (1, 2), (2, 3), (2.5, 3.5)]
        parts = [samples[int(part.start_s * 16_000) : int(part.end_s * 16_000)] for part in found]
        expected = fused_embedder.embed_audio(parts, sample_rate_hz=16_000)
        assert_same(np.stack([part.vector for part in found]), expected)


def test_the_identity_tells_how_long_sound_is_heard(fused_bundle: Bundle, bundle: Bundle) -> None:
    def identity(bundle: Bundle, **windows: object) -> str:
        return Embedder.from_bundle(bundle, windows=WindowConfig.read(windows)).identity

    assert identity(fused_bundle) == identity(fused_bundle, long="fusion")
    assert identity(bundle) == identity(bundle, long="windows")
    ways = [identity(fused_bundle), identity(fused_bundle, long="windows"), identity(fused_bundle, stretch_s=60.0)]
    assert len(set(ways)) == 3


def test_a_fused_model_is_saved_and_loaded_and_one_from_before_fusion_loads(
    fused_bundle: Bundle, bundle: Bundle, tmp_path: Path
) -> None:
    save_bundle(fused_bundle, tmp_path / "fused")
    assert openclap.load(tmp_path / "fused").identity == Embedder.from_bundle(fused_bundle).identity
    plain = Embedder.from_bundle(fused_bundle, windows=WindowConfig(long="windows"))
    assert openclap.load(tmp_path / "fused", long="windows").identity == plain.identity
    save_bundle(bundle, tmp_path / "old")
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    assert config["frontend"].pop("fusion", "missing") is None
    (tmp_path / "old" / "config.json").write_text(json.dumps(config))
    assert openclap.load(tmp_path / "old").identity == Embedder.from_bundle(bundle).identity
