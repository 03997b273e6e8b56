"""Building blocks of synthetic sound: noise with a chosen spectrum, harmonic and struck tones, envelopes, a room.

Everything is float32 numpy and vectorised. Noise is drawn as a random spectrum, so that filtering it costs nothing;
harmonic tones read one period from a table, so that twenty harmonics cost as much as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

Samples = Float[np.ndarray, " samples"]
Curve = Callable[[Float[np.ndarray, " bins"]], Float[np.ndarray, " bins"]]

_TABLE_LENGTH = 4096


def seconds(duration_s: float, rate_hz: int) -> Samples:
    """The time of each sample of a sound of `duration_s`, in seconds."""
    return np.arange(max(1, round(duration_s * rate_hz)), dtype=np.float32) / np.float32(rate_hz)


def noise(rng: np.random.Generator, n: int, rate_hz: int, curve: Curve | None = None) -> Samples:
    """`n` samples of Gaussian noise whose amplitude spectrum follows `curve` (white without one).

    Args:
        rng: where the randomness comes from.
        n: samples.
        rate_hz: sample rate.
        curve: amplitude at each frequency in Hz.
    """
    if curve is None:
        return rng.standard_normal(n, dtype=np.float32)
    length = fast_length(n)
    frequencies = np.fft.rfftfreq(length, 1 / rate_hz).astype(np.float32)
    spectrum = rng.standard_normal((len(frequencies), 2), dtype=np.float32).view(np.complex64)[:, 0]
    spectrum *= curve(frequencies) * np.float32(np.sqrt(length / 2))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, length)[:n].astype(np.float32)


def filtered(samples: Samples, rate_hz: int, curve: Curve) -> Samples:
    """`samples` with each frequency scaled by `curve` (zero phase)."""
    length = fast_length(len(samples))
    frequencies = np.fft.rfftfreq(length, 1 / rate_hz).astype(np.float32)
    spectrum = np.fft.rfft(samples, length) * curve(frequencies)
    return np.fft.irfft(spectrum, length)[: len(samples)].astype(np.float32)


def band(low_hz: float, high_hz: float, slope: float = 2.0) -> Curve:
    """A pass band with edges at `low_hz` and `high_hz` that fall by 6 × `slope` dB an octave outside."""

    def curve(frequencies: np.ndarray) -> np.ndarray:
        safe = np.maximum(frequencies, 1.0)
        return np.asarray(1 / (1 + (low_hz / safe) ** slope) / (1 + (safe / high_hz) ** slope), dtype=np.float32)

    return curve


def resonances(*peaks: tuple[float, float, float]) -> Curve:
    """A sum of resonances (centre in Hz, bandwidth in Hz, gain): formants of a throat, the body of an instrument."""

    def curve(frequencies: np.ndarray) -> np.ndarray:
        total = np.zeros(len(frequencies))
        for centre_hz, width_hz, gain in peaks:
            total += gain / (1 + ((frequencies - centre_hz) / (width_hz / 2)) ** 2)
        return np.asarray(total, dtype=np.float32)

    return curve


def cycles(frequency_hz: Samples, rate_hz: int) -> Samples:
    """The phase, in cycles within [0, 1), of an oscillator whose frequency is given at each sample."""
    turns = np.cumsum(frequency_hz, dtype=np.float64) / rate_hz % 1.0
    return np.asarray(
        turns.astype(np.float32) % np.float32(1)
    )  # the rounding to float32 may have made a 1 of 0.99999999


def harmonic(frequency_hz: Samples, rate_hz: int, amplitudes: Sequence[float] | np.ndarray) -> Samples:
    """A tone with harmonics 1, 2, … of the given amplitudes on a gliding fundamental; none passes half the rate."""
    top = max(1, int(rate_hz / 2 / float(frequency_hz.max())))
    kept = np.asarray(amplitudes, dtype=np.float64)[:top]
    spectrum = np.zeros(_TABLE_LENGTH // 2 + 1, dtype=np.complex128)
    # Schroeder phases keep the crest low, as the phases of most natural tones do.
    order = np.arange(1, len(kept) + 1)
    spectrum[order] = kept * np.exp(1j * np.pi * order * (order - 1) / max(1, len(kept))) * _TABLE_LENGTH / 2
    table = np.fft.irfft(spectrum, _TABLE_LENGTH).astype(np.float32)
    return np.asarray(table[(cycles(frequency_hz, rate_hz) * _TABLE_LENGTH).astype(np.int32)])


def sung(frequency_hz: Samples, rate_hz: int, formants: Curve, tilt: float = 1.0) -> Samples:
    """A voice-like tone: harmonics that fall as 1/k^`tilt`, shaped by formants at the mean pitch."""
    pitch_hz = float(frequency_hz.mean())
    order = np.arange(1, max(2, int(rate_hz / 2 / pitch_hz)) + 1)
    return harmonic(frequency_hz, rate_hz, formants(order * pitch_hz) / order**tilt)


def struck(
    duration_s: float,
    rate_hz: int,
    frequencies_hz: Sequence[float] | np.ndarray,
    amplitudes: Sequence[float] | np.ndarray,
    decays_s: Sequence[float] | np.ndarray,
) -> Samples:
    """A struck or plucked body: partials that start together and each die away by 60 dB within their own time."""
    time = seconds(duration_s, rate_hz)
    total = np.zeros(len(time), dtype=np.float32)
    for frequency_hz, amplitude, decay_s in zip(frequencies_hz, amplitudes, decays_s, strict=True):
        if frequency_hz < rate_hz / 2:
            n = min(len(time), round(decay_s * rate_hz))  # past that the partial is inaudible
            part = np.sin(np.float32(2 * np.pi * frequency_hz) * time[:n])
            total[:n] += np.float32(amplitude) * part * np.exp(np.float32(-6.9 / decay_s) * time[:n])
    return total


def decay(n: int, rate_hz: int, attack_s: float, fall_s: float) -> Samples:
    """An envelope that rises within `attack_s` and then falls by 60 dB in `fall_s`."""
    time = np.arange(n, dtype=np.float32) / np.float32(rate_hz)
    rise = np.minimum(time / np.float32(max(attack_s, 1e-4)), 1)
    return np.asarray(rise * np.exp(np.float32(-6.9 / fall_s) * np.maximum(time - np.float32(attack_s), 0)))


def swell(n: int, attack: float = 0.2, release: float = 0.3) -> Samples:
    """An envelope from 0 over 1 back to 0; attack and release are shares of its length, with rounded corners."""
    x = np.linspace(0, 1, n, dtype=np.float32)
    edge = np.clip(np.minimum(x / np.float32(attack), (1 - x) / np.float32(release)), 0, 1)
    return np.asarray(np.sin(edge * np.float32(np.pi / 2)) ** 2)


def wander(rng: np.random.Generator, n: int, rate_hz: int, speed_hz: float) -> Samples:
    """A slow random curve in [0, 1]: about `speed_hz` new values a second, joined smoothly."""
    points = rng.random(max(2, int(n / rate_hz * speed_hz) + 3)).astype(np.float32)
    place = np.linspace(0, len(points) - 1.001, n, dtype=np.float32)
    left = place.astype(np.int32)
    part = place - left
    part = part * part * (3 - 2 * part)
    return np.asarray(points[left] * (1 - part) + points[left + 1] * part)


def faded(samples: Samples, rate_hz: int, fade_s: float = 0.01) -> Samples:
    """`samples` with both ends faded, so that nothing clicks."""
    n = min(round(fade_s * rate_hz), len(samples) // 2)
    if n:
        ramp = np.linspace(0, 1, n, dtype=np.float32)
        samples = samples.copy()
        samples[:n] *= ramp
        samples[-n:] *= ramp[::-1]
    return samples


def add_at(canvas: Samples, samples: Samples, start: int) -> None:
    """Add `samples` to `canvas` from sample `start`; what passes the end is dropped."""
    end = min(len(canvas), start + len(samples))
    if end > start:
        canvas[start:end] += samples[: end - start]


def room(rng: np.random.Generator, samples: Samples, rate_hz: int, reverberation_s: float) -> Samples:
    """`samples` as heard only through the echoes of a room whose sound dies by 60 dB in `reverberation_s`."""
    n = round(reverberation_s * rate_hz)
    response = noise(rng, n, rate_hz) * decay(n, rate_hz, 0.005, reverberation_s)
    response /= np.sqrt(np.sum(response**2))
    length = fast_length(len(samples) + n)
    wet = np.fft.irfft(np.fft.rfft(samples, length) * np.fft.rfft(response, length), length)
    return wet[: len(samples)].astype(np.float32)


def loudness_db(samples: Samples, rate_hz: int) -> float:
    """How loud a sound is where it is loudest, in dB re full scale.

    The greatest RMS of its 100 ms frames, or its peak less 15 dB where that is more, so that short clicks that are set
    to one loudness with steady sounds neither vanish nor clip.
    """
    frame = max(1, round(0.1 * rate_hz))
    padded = np.pad(samples, (0, -len(samples) % frame))
    power = float(np.mean(padded.reshape(-1, frame) ** 2, axis=1).max())
    peak = float(np.abs(samples).max())
    return float(max(10 * np.log10(power + 1e-12), 20 * np.log10(peak + 1e-6) - 15))


def fast_length(n: int) -> int:
    """The smallest length of at least `n` that the FFT is quick at: a power of two times 1, 3, 5, 9 or 15."""
    return min(odd << max(0, (-(-n // odd) - 1).bit_length()) for odd in (1, 3, 5, 9, 15))
