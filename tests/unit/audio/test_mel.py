"""Physical truths of log-mel features, and what every convention must keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from openclap.audio.filter_bank import mel_edges_hz
from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig
from openclap.errors import AudioFormatError, ConfigError

PRESETS = list(MEL_PRESETS)


def tone(config: MelConfig, hz: float, seconds: float = 1.0, amplitude: float = 0.5) -> torch.Tensor:
    n = round(seconds * config.sample_rate_hz)
    return (
        amplitude * torch.sin(2 * torch.pi * hz * torch.arange(n, dtype=torch.float64) / config.sample_rate_hz)
    ).float()


def noise(config: MelConfig, seconds: float = 1.0, clips: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(clips, round(seconds * config.sample_rate_hz), generator=generator)


def plain(name: str) -> MelConfig:
    """A preset without a fixed number of frames and without normalisation."""
    return MEL_PRESETS[name].model_copy(update={"frames": None, "normalise_mean": None, "normalise_std": None})


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("hz", [440.0, 1000.0, 5000.0])
def test_a_tone_peaks_in_the_band_that_holds_it(name: str, hz: float) -> None:
    config = plain(name)
    features = LogMel(config)(tone(config, hz))
    band = int(features[10:-10].mean(0).argmax())
    moved = hz * config.bank_sample_rate_hz / config.sample_rate_hz  # where filters of another rate hear it
    edges = mel_edges_hz(config.n_mels, config.f_min_hz, config.f_max_hz, config.mel_scale)
    assert edges[band] <= moved <= edges[band + 2]


@pytest.mark.parametrize("name", PRESETS)
def test_ten_times_the_amplitude_is_20_db_more(name: str) -> None:
    config = plain(name)
    quiet, loud = LogMel(config)(noise(config)), LogMel(config)(10 * noise(config))
    gain = 20.0 if config.log == "db" else 2 * np.log(10)
    floor = np.log(config.amin) * (10 / np.log(10) if config.log == "db" else 1.0)
    heard = quiet > floor + 1e-3  # bands that no bin falls into stay at the floor
    assert heard.float().mean() > 0.9
    torch.testing.assert_close(loud[heard], quiet[heard] + gain, atol=1e-3, rtol=0)  # float32 of values up to 100


@pytest.mark.parametrize("name", PRESETS)
def test_a_hop_later_in_time_is_a_frame_later(name: str) -> None:
    config = plain(name).model_copy(update={"remove_waveform_mean": False})
    sound = noise(config)[0]
    features, later = LogMel(config)(sound), LogMel(config)(sound[config.hop_length :])
    n = len(later) - 8  # the ends see other padding
    torch.testing.assert_close(later[4:n], features[5 : n + 1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", PRESETS)
def test_silence_is_the_floor(name: str) -> None:
    config = plain(name)
    features = LogMel(config)(torch.zeros(1, config.sample_rate_hz))
    floor = 10 * np.log10(config.amin) if config.log == "db" else np.log(config.amin)
    torch.testing.assert_close(features, torch.full_like(features, floor), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", PRESETS)
def test_a_clip_has_the_same_features_alone_and_in_any_batch(name: str) -> None:
    mel = LogMel(MEL_PRESETS[name])
    clips = noise(mel.config, clips=5)
    batch = mel(clips)
    for clip, features in zip(clips, batch, strict=True):
        assert torch.equal(mel(clip), features)  # bit for bit: each clip goes through alone
    assert torch.equal(mel(clips.flip(0)), batch.flip(0))
    assert torch.equal(mel(clips[None, :4].reshape(2, 2, -1)), batch[:4].reshape(2, 2, *batch.shape[1:]))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("extra", [-1, 0, 1, 77])
def test_the_count_of_frames_is_known_beforehand(name: str, extra: int) -> None:
    for config in (plain(name), MEL_PRESETS[name], plain(name).model_copy(update={"framing": "mirror-edges"})):
        n = 10 * config.hop_length + config.win_length + extra
        assert LogMel(config)(torch.zeros(n)).shape == (LogMel(config).frames(n), config.n_mels)


def test_the_energy_of_the_spectrum_is_the_energy_of_the_sound() -> None:
    # Parseval: a bank whose triangles add up to one keeps all power that lies between its outer peaks.
    config = MelConfig(
        mel_scale="htk", mel_norm="none", window="rectangular", f_min_hz=0.0, f_max_hz=24_000.0, n_mels=40
    )
    n_fft = config.n_fft
    t = torch.arange(48_000, dtype=torch.float64)
    sound = (
        sum(torch.sin(2 * torch.pi * k * 32 * t / n_fft) for k in range(4, 10)).float() / 10
    )  # whole periods a frame
    energies = 10 ** (LogMel(config)(sound)[5:-5] / 10)
    expected = n_fft * n_fft * (sound**2).mean() / 2  # one side of the spectrum holds half
    torch.testing.assert_close(energies.sum(-1).mean(), expected, rtol=1e-4, atol=0)


def test_a_dc_offset_is_removed_where_the_convention_says_so() -> None:
    mel = LogMel(plain("audiomae"))
    sound = noise(mel.config)
    torch.testing.assert_close(mel(sound + 0.3), mel(sound), atol=1e-2, rtol=0)  # 0.3 costs float32 some bits


def test_limits_clamp_each_bin_before_normalisation() -> None:
    low = tuple(float(-90 + m) for m in range(64))
    config = MEL_PRESETS["laion"].model_copy(update={"bin_min": low, "bin_max": -20.0})
    features = LogMel(config)(noise(config))
    assert (features >= torch.tensor(low)).all()
    assert (features <= -20.0).all()
    silence = LogMel(config)(torch.zeros(48_000))
    torch.testing.assert_close(silence[7], torch.tensor(low))


def test_top_db_looks_at_its_own_clip_only() -> None:
    config = MEL_PRESETS["laion"].model_copy(update={"top_db": 40.0})
    clips = torch.cat([tone(config, 1000.0)[None], tone(config, 1000.0, amplitude=0.001)[None]])
    loud, quiet = LogMel(config)(clips)
    for features in (loud, quiet):
        assert float(features.max() - features.min()) == pytest.approx(40.0, abs=1e-4)
    assert float(loud.max() - quiet.max()) == pytest.approx(54.0, abs=0.1)  # 500 times the amplitude


def test_frames_are_padded_with_zeros_before_normalisation() -> None:
    config = MEL_PRESETS["audiomae"]
    features = LogMel(config)(noise(config))
    assert features.shape == (1, 1024, 128)
    assert config.normalise_mean is not None
    assert config.normalise_std is not None
    padding = features[:, 98:]
    torch.testing.assert_close(padding, torch.full_like(padding, -config.normalise_mean / (2 * config.normalise_std)))


def test_features_are_float32_whatever_surrounds_them() -> None:
    mel = LogMel(MEL_PRESETS["laion"])
    sound = noise(mel.config)
    expected = mel(sound)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert torch.equal(mel(sound), expected)
    assert torch.equal(mel.bfloat16()(sound), expected)
    assert mel(sound.double()).dtype == torch.float32


def test_nothing_of_it_goes_into_a_checkpoint() -> None:
    assert LogMel(MEL_PRESETS["audiomae"]).state_dict() == {}
    assert not list(LogMel(MEL_PRESETS["audiomae"]).parameters())


def test_gradients_reach_the_waveform() -> None:
    sound = noise(MEL_PRESETS["laion"], 0.1).requires_grad_()
    LogMel(MEL_PRESETS["laion"])(sound).mean().backward()
    assert sound.grad is not None
    assert sound.grad.abs().max() > 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_clip_too_short_for_a_frame_is_an_error_in_words(name: str) -> None:
    mel = LogMel(MEL_PRESETS[name])
    shortest = mel.config.shortest_clip
    assert mel(torch.zeros(1, shortest)).isfinite().all()
    with pytest.raises(AudioFormatError, match=f"{shortest - 1} samples are too few"):
        mel(torch.zeros(1, shortest - 1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"f_max_hz": 30_000.0}, "half the filter bank's sample rate"),
        ({"win_length": 2048}, "does not fit into n_fft"),
        ({"hop_length": 0}, "hop_length must be positive"),
        ({"log": "ln", "top_db": 80.0}, "belong to log 'db'"),
        ({"normalise_mean": 1.0}, "given together"),
        ({"bin_min": [0.0, 1.0]}, "2 numbers for 64 mel bins"),
        ({"n_mel": 64}, "did you mean 'n_mels'"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MelConfig.read(values)


@pytest.mark.gpu
@pytest.mark.parametrize("name", PRESETS)
def test_a_gpu_gives_the_same_features(name: str) -> None:
    mel = LogMel(MEL_PRESETS[name])
    clips = noise(mel.config, clips=3)
    torch.testing.assert_close(mel.cuda()(clips.cuda()).cpu(), LogMel(mel.config)(clips), atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", PRESETS)
def test_frames_of_many_clips_at_once_give_the_same_energies(name: str) -> None:
    mel = LogMel(plain(name))  # as they go through on a GPU
    frames = noise(mel.config, clips=3).unfold(-1, mel.config.win_length, mel.config.hop_length)
    together = mel._block(frames)
    for clip, energies in zip(frames, together, strict=True):
        torch.testing.assert_close(mel._block(clip), energies, rtol=1e-5, atol=1e-6)  # sums in another order
