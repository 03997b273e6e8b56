"""The sounds are what their names say, by measurement."""

from __future__ import annotations

import re

import numpy as np
import pytest

from openclap.data.synthesis.dsp import cycles, harmonic, loudness_db
from openclap.data.synthesis.source import Take, sources

RATE_HZ = 16000


def draw(name: str, seed: int = 0) -> Take:
    return sources.get(name).draw(np.random.default_rng(seed), RATE_HZ)


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / RATE_HZ), power


def centroid_hz(name: str) -> float:
    """The mean spectral centroid of five draws."""
    found = []
    for seed in range(5):
        frequencies, power = spectrum(draw(name, seed).play(2.0))
        found.append(float((frequencies * power).sum() / power.sum()))
    return float(np.mean(found))


def envelope(samples: np.ndarray, frame_s: float = 0.005) -> np.ndarray:
    frame = round(frame_s * RATE_HZ)
    return np.sqrt(np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2, axis=1))


def beat_hz(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """The strongest rate of the envelope between two limits, by its autocorrelation."""
    curve = envelope(samples)
    curve = curve - curve.mean()
    correlation = np.correlate(curve, curve, "full")[len(curve) - 1 :]
    lags = np.arange(round(200 / high_hz), round(200 / low_hz) + 1)
    return 200 / float(lags[correlation[lags].argmax()])


def ridge_hz(samples: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """The frequency of the greatest power between two limits, frame by frame of 32 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::256] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames, 4096, axis=1))
    frequencies = np.fft.rfftfreq(4096, 1 / RATE_HZ)
    inside = (frequencies >= low_hz) & (frequencies <= high_hz)
    return frequencies[inside][power[:, inside].argmax(axis=1)]


@pytest.mark.parametrize("name", sources.names())
def test_every_source_gives_finite_sound_of_no_more_than_the_time_it_is_given(name: str) -> None:
    source = sources.get(name)
    for seed in range(3):
        for duration_s in (0.7, 3.0):
            samples = draw(name, seed).play(duration_s)
            assert samples.dtype == np.float32
            assert np.isfinite(samples).all()
            assert np.abs(samples).max() > 0
            longest = round(duration_s * RATE_HZ)
            assert len(samples) <= longest if source.countable else len(samples) == longest


@pytest.mark.parametrize("name", sources.names())
def test_a_seed_gives_the_same_sound_again_and_another_seed_another(name: str) -> None:
    first, again, other = (draw(name, seed).play(1.0) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


@pytest.mark.parametrize("name", sources.names())
def test_the_words_of_a_source_agree(name: str) -> None:
    source = sources.get(name)
    for words in source.words:
        first = words.subject.split()[0]
        singular_mass = words.subject in {"rain", "wind", "thunder", "water", "static noise"}
        singular = first in {"a", "an", "the", "someone"} or singular_mass
        assert bool(re.search("[^s]s$", words.verb.split()[0])) == singular, words
        assert words.participle.split()[0].endswith("ing"), words
        assert bool(words.plural) == source.countable, words
        if first in {"a", "an"}:
            assert (first == "an") == (words.subject.split()[1][0] in "aeiou"), words


def test_there_are_enough_sources_of_both_kinds() -> None:
    kinds = [sources.get(name).countable for name in sources.names()]
    assert len(kinds) >= 30
    assert 10 <= sum(kinds) <= len(kinds) - 10


@pytest.mark.parametrize(
    ("dark", "bright"),
    [("heartbeat", "footsteps"), ("thunder", "rain"), ("wind", "waves"), ("owl", "bird"), ("door-knock", "glass"),
     ("cow", "cat"), ("helicopter", "drill"), ("rain", "cymbal"), ("bell", "crickets")],
)  # fmt: skip
def test_dark_sounds_lie_below_bright_ones(dark: str, bright: str) -> None:
    assert centroid_hz(dark) < 0.8 * centroid_hz(bright)


@pytest.mark.parametrize("seed", range(4))
def test_a_siren_sweeps_between_its_limits_in_its_period(seed: int) -> None:
    take = draw("siren", seed)
    low_hz, high_hz, period_s = (take.parameters[key] for key in ("low_hz", "high_hz", "period_s"))
    pitch = ridge_hz(take.play(4.0), low_hz * 0.9, high_hz * 1.1)
    # A frame of 32 ms smears a sweep by a few per cent of its span.
    assert pitch.min() == pytest.approx(low_hz, rel=0.06)
    assert pitch.max() == pytest.approx(high_hz, rel=0.06)
    turn = round(period_s * RATE_HZ / 256)
    assert np.median(np.abs(pitch[turn:] - pitch[:-turn])) < 0.1 * (high_hz - low_hz)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("clock", "ticks_hz"), ("footsteps", "steps_hz"), ("alarm", "beeps_hz"), ("helicopter", "blades_hz")],
)
@pytest.mark.parametrize("seed", range(3))
def test_rhythmic_sounds_beat_at_their_rate(name: str, rate: str, seed: int) -> None:
    take = draw(name, seed)
    expected = take.parameters[rate]
    # 5 ms frames round a period; footsteps stray by some ms as feet do.
    assert beat_hz(take.play(5.0), 0.75 * expected, 1.4 * expected) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_a_heart_beats_twice_a_beat_the_second_weaker(seed: int) -> None:
    take = draw("heartbeat", seed)
    curve = envelope(take.play(0.9 / take.parameters["beats_hz"]))
    middle = round((0.05 + 0.2 / take.parameters["beats_hz"]) * 200)
    assert curve[:middle].max() > curve[middle:].max() > 0.3 * curve[:middle].max()


@pytest.mark.parametrize("name", ["guitar", "piano", "flute", "violin"])
@pytest.mark.parametrize("seed", range(3))
def test_a_note_has_power_at_its_harmonics_and_little_between(name: str, seed: int) -> None:
    take = draw(name, seed)
    frequencies, power = spectrum(take.play(1.0))
    pitch_hz = take.parameters["pitch_hz"]
    distance = np.abs(frequencies / pitch_hz - np.round(frequencies / pitch_hz))
    heard = (frequencies > 0.5 * pitch_hz) & (frequencies < 4.5 * pitch_hz)
    assert power[heard & (distance < 0.1)].sum() > 20 * power[heard & (distance > 0.3)].sum()


@pytest.mark.parametrize("seed", range(4))
def test_a_vowel_is_strong_at_its_first_formant(seed: int) -> None:
    take = draw("voice", seed)
    frequencies, power = spectrum(take.play(0.7))
    strongest_hz = frequencies[power.argmax()]
    # The strongest harmonic is one of the two beside the formant.
    assert abs(strongest_hz - take.parameters["first_formant_hz"]) <= take.parameters["pitch_hz"]


def test_a_water_drop_rises_and_a_drum_falls_in_pitch() -> None:
    drop, drum = draw("water-drop").play(0.2), draw("drum").play(0.3)
    rising = ridge_hz(drop, 600, 3500)
    falling = ridge_hz(drum[: RATE_HZ // 5], 30, 400)
    assert rising[6] > 1.1 * rising[0]
    assert falling[-1] < falling[0]


@pytest.mark.parametrize("name", ["bell", "piano", "guitar", "cymbal", "glass", "drum", "door-knock"])
def test_struck_things_start_loud_and_die_away(name: str) -> None:
    curve = envelope(draw(name).play(1.0), 0.01)
    assert curve.argmax() <= 4
    assert curve[-1] < 0.35 * curve.max()


def test_static_is_flat_where_rain_is_not() -> None:
    def share_below_1_khz(name: str) -> float:
        frequencies, power = spectrum(draw(name).play(3.0))
        return float(power[frequencies < 1000].sum() / power.sum())

    assert share_below_1_khz("static") == pytest.approx(1000 / 8000, abs=0.04)
    assert share_below_1_khz("rain") < 0.6 * share_below_1_khz("static")


def test_loudness_is_that_of_the_loudest_part_whatever_surrounds_it() -> None:
    tone = np.sin(np.arange(RATE_HZ) * 0.3).astype(np.float32)
    alone, surrounded = loudness_db(tone, RATE_HZ), loudness_db(np.pad(tone, RATE_HZ * 2), RATE_HZ)
    assert alone == pytest.approx(-3.01, abs=0.05)  # a sine's RMS is 1/sqrt(2)
    assert surrounded == pytest.approx(alone, abs=0.05)
    assert loudness_db(tone / 10, RATE_HZ) == pytest.approx(alone - 20, abs=0.05)


def test_a_phase_just_below_a_whole_turn_is_a_phase() -> None:
    # 1 - 2**-30 is below 1 in float64 and rounds to 1 in float32.
    frequency_hz = np.array([RATE_HZ * (1 - 2.0**-30)])
    assert cycles(frequency_hz, RATE_HZ)[0] < 1
    assert np.isfinite(harmonic(frequency_hz, RATE_HZ, [1.0])).all()
