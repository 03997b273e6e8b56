"""Instruments: drum, cymbal, guitar, piano, flute, violin."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import (
    Samples,
    band,
    cycles,
    decay,
    harmonic,
    noise,
    resonances,
    seconds,
    struck,
    sung,
    swell,
)
from openclap.data.synthesis.source import Take, Words, source


def _note_hz(rng: np.random.Generator, low: int, high: int) -> float:
    """The pitch of a random MIDI note in [low, high]."""
    return float(440.0 * 2 ** ((rng.integers(low, high + 1) - 69) / 12))


@source(
    "drum",
    Words("a drum", "thumps", "thumping", "drum beat", "drum beats"),
    Words("a drum", "booms", "booming", "drum hit", "drum hits"),
    interval_s=(0.3, 0.6),
)
def drum(rng: np.random.Generator, rate_hz: int) -> Take:
    """A skin whose pitch drops after the blow, and the click of the stick."""
    pitch_hz, decay_s = rng.uniform(60, 130), rng.uniform(0.3, 0.6)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, decay_s), rate_hz)
        pitch = pitch_hz * (1 + 0.9 * np.exp(-time / 0.03))
        skin = np.sin(2 * np.pi * cycles(pitch, rate_hz)) * decay(len(time), rate_hz, 0.002, decay_s)
        stick = noise(rng, len(time), rate_hz, band(300, 3500)) * decay(len(time), rate_hz, 0.001, 0.06)
        return np.asarray(skin + 0.35 * rng.uniform(0.8, 1.2) * stick, dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "decay_s": decay_s})


@source(
    "cymbal",
    Words("a cymbal", "crashes", "crashing", "cymbal crash", "cymbal crashes"),
    interval_s=(0.7, 1.1),
)
def cymbal(rng: np.random.Generator, rate_hz: int) -> Take:
    """Dense metallic noise above 3 kHz that opens at once and dies slowly."""
    shine_hz, decay_s = rng.uniform(3200, 5200), rng.uniform(1.0, 1.8)
    partials_hz = rng.uniform(2000, 7500, 14)

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, 1.4)
        n = len(seconds(length_s, rate_hz))
        ring = struck(length_s, rate_hz, partials_hz, rng.uniform(0.05, 0.15, 14), np.full(14, decay_s))
        crash = noise(rng, n, rate_hz, band(shine_hz, 7800, 3)) * decay(n, rate_hz, 0.004, decay_s)
        return np.asarray(crash + ring, dtype=np.float32)

    return Take(play, {"shine_hz": shine_hz, "decay_s": decay_s})


@source(
    "guitar",
    Words("a guitar string", "twangs", "twanging", "guitar note", "guitar notes"),
    Words("a plucked string", "sounds", "sounding", "plucked string note", "plucked string notes"),
    interval_s=(0.4, 0.75),
)
def guitar(rng: np.random.Generator, rate_hz: int) -> Take:
    """A plucked string: harmonics by where it is plucked, the high ones dying first."""
    pitch_hz, pluck, decay_s = _note_hz(rng, 45, 66), rng.uniform(0.12, 0.3), rng.uniform(0.9, 1.6)
    order = np.arange(1, 19)
    strengths = np.abs(np.sin(np.pi * order * pluck)) / order

    def play(duration_s: float) -> Samples:
        bright = strengths * order ** rng.uniform(0.1, 0.3)
        stretched = pitch_hz * order * np.sqrt(1 + 2e-4 * order**2)
        return struck(min(duration_s, 1.2), rate_hz, stretched, bright, decay_s / (1 + 0.12 * order))

    return Take(play, {"pitch_hz": pitch_hz, "pluck": pluck})


@source(
    "piano",
    Words("a piano note", "sounds", "sounding", "piano note", "piano notes"),
    Words("a piano key", "is struck", "being struck", "piano key strike", "piano key strikes"),
    interval_s=(0.4, 0.75),
)
def piano(rng: np.random.Generator, rate_hz: int) -> Take:
    """Struck strings: two a note, slightly apart, so that the tone beats; a felt thud before it."""
    pitch_hz, decay_s = _note_hz(rng, 50, 79), rng.uniform(1.2, 2.2)
    order = np.arange(1, 9)
    partials_hz = pitch_hz * order * np.sqrt(1 + 4e-4 * order**2)
    strengths = np.exp(-0.45 * (order - 1))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, 1.3)
        both_hz = np.concatenate([partials_hz, partials_hz * 1.0012])
        tone = struck(length_s, rate_hz, both_hz, np.tile(strengths, 2) / 2, np.tile(decay_s / order**0.5, 2))
        thud = noise(rng, len(tone), rate_hz, band(80, 500)) * decay(len(tone), rate_hz, 0.001, 0.05)
        return np.asarray(tone + 0.1 * thud, dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "decay_s": decay_s})


@source(
    "flute",
    Words("a flute", "plays", "playing", "flute note", "flute notes"),
    interval_s=(0.6, 0.9),
)
def flute(rng: np.random.Generator, rate_hz: int) -> Take:
    """A near-pure tone with vibrato, and breath around it."""
    pitch_hz, length_s = _note_hz(rng, 72, 91), rng.uniform(0.45, 0.65)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, length_s), rate_hz)
        deep = np.minimum(time / 0.2, 1)
        pitch = pitch_hz * (1 + 0.008 * deep * np.sin(2 * np.pi * 5.2 * time))
        tone = harmonic(pitch, rate_hz, [1.0, 0.25, 0.1, 0.03])
        breath = noise(rng, len(time), rate_hz, resonances((pitch_hz, 400, 1.0), (pitch_hz * 2, 800, 0.5)))
        return np.asarray((tone + 0.1 * breath) * swell(len(time), 0.12, 0.15), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "length_s": length_s})


@source(
    "violin",
    Words("a violin", "plays", "playing", "violin note", "violin notes"),
    interval_s=(0.7, 1.0),
)
def violin(rng: np.random.Generator, rate_hz: int) -> Take:
    """A bowed string: all harmonics, through the body's resonances, with vibrato and a slow attack."""
    pitch_hz, length_s = _note_hz(rng, 57, 76), rng.uniform(0.55, 0.8)
    body = resonances((290, 90, 0.8), (460, 120, 1.0), (1100, 500, 0.6), (2800, 1200, 0.9))

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, length_s), rate_hz)
        pitch = pitch_hz * (1 + 0.012 * np.minimum(time / 0.15, 1) * np.sin(2 * np.pi * 5.8 * time))
        bow = noise(rng, len(time), rate_hz, band(1500, 5000))
        return np.asarray(
            (sung(pitch, rate_hz, body, 0.7) + 0.02 * bow) * swell(len(time), 0.2, 0.15), dtype=np.float32
        )

    return Take(play, {"pitch_hz": pitch_hz, "length_s": length_s})
