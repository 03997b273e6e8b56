"""Signals made to be heard: siren, alarm, phone, bell, doorbell, whistle."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import Samples, band, cycles, harmonic, noise, resonances, seconds, struck, swell
from openclap.data.synthesis.source import Take, Words, source


@source("siren", Words("a siren", "wails", "wailing", "wailing siren"))
def siren(rng: np.random.Generator, rate_hz: int) -> Take:
    """A hard tone whose pitch rises and falls between two limits."""
    low_hz, high_hz, period_s = rng.uniform(450, 650), rng.uniform(1000, 1500), rng.uniform(0.7, 2.0)
    offset = rng.random()

    def play(duration_s: float) -> Samples:
        turn = seconds(duration_s, rate_hz) / period_s + offset
        pitch = low_hz + (high_hz - low_hz) * (0.5 - 0.5 * np.cos(2 * np.pi * turn))
        return harmonic(pitch, rate_hz, [1.0, 0.3, 0.35, 0.1, 0.15])

    return Take(play, {"low_hz": low_hz, "high_hz": high_hz, "period_s": period_s})


@source("alarm", Words("an alarm", "beeps", "beeping", "beeping alarm"))
def alarm(rng: np.random.Generator, rate_hz: int) -> Take:
    """A fixed high tone, switched on and off."""
    pitch_hz, beeps_hz = rng.uniform(1800, 3200), rng.uniform(2.0, 4.5)
    duty = rng.uniform(0.4, 0.6)

    def play(duration_s: float) -> Samples:
        time = seconds(duration_s, rate_hz)
        turn = (time * beeps_hz) % 1.0
        gate = np.clip(np.minimum(turn, duty - turn) * 400 / beeps_hz, 0, 1)
        return harmonic(np.full_like(time, pitch_hz), rate_hz, [1.0, 0.05, 0.3]) * gate

    return Take(play, {"pitch_hz": pitch_hz, "beeps_hz": beeps_hz})


@source(
    "phone",
    Words("a phone", "rings", "ringing", "phone ring", "phone rings"),
    Words("a telephone", "rings", "ringing", "telephone ring", "telephone rings"),
    interval_s=(0.95, 1.2),
)
def phone(rng: np.random.Generator, rate_hz: int) -> Take:
    """Two small gongs, struck in turn about twenty times a second."""
    pitch_hz, hammer_hz, length_s = rng.uniform(1100, 1700), rng.uniform(16, 24), rng.uniform(0.6, 0.8)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, length_s), rate_hz)
        turn = time * hammer_hz
        first = np.exp(-2.5 * (turn % 1.0)) * np.minimum((turn % 1.0) * 30, 1)
        second = np.exp(-2.5 * ((turn + 0.5) % 1.0)) * np.minimum(((turn + 0.5) % 1.0) * 30, 1)
        flat = np.full_like(time, pitch_hz)
        gongs = first * harmonic(flat, rate_hz, [1.0, 0.1, 0.4]) + second * harmonic(
            flat * 1.19, rate_hz, [1.0, 0, 0.3]
        )
        return np.asarray(gongs * swell(len(time), 0.02, 0.12), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "hammer_hz": hammer_hz})


@source(
    "bell",
    Words("a bell", "rings", "ringing", "bell ring", "bell rings"),
    Words("a bell", "tolls", "tolling", "bell toll", "bell tolls"),
    interval_s=(0.8, 1.1),
)
def bell(rng: np.random.Generator, rate_hz: int) -> Take:
    """A church bell's partials: hum, prime, minor third, fifth, octave and above."""
    pitch_hz, decay_s = rng.uniform(380, 800), rng.uniform(1.2, 2.0)
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.67, 3.0, 4.2]) * rng.uniform(0.99, 1.01, 8)
    strengths = np.array([0.5, 0.8, 0.7, 0.4, 1.0, 0.5, 0.35, 0.3])

    def play(duration_s: float) -> Samples:
        strike = strengths * rng.uniform(0.85, 1.15, 8)
        return struck(min(duration_s, 1.6), rate_hz, pitch_hz * ratios, strike, decay_s / ratios**0.6)

    return Take(play, {"pitch_hz": pitch_hz, "decay_s": decay_s})


@source(
    "doorbell",
    Words("a doorbell", "chimes", "chiming", "doorbell chime", "doorbell chimes"),
    interval_s=(1.1, 1.4),
)
def doorbell(rng: np.random.Generator, rate_hz: int) -> Take:
    """Two soft chimes, the second a major third lower."""
    pitch_hz, step_s = rng.uniform(620, 820), rng.uniform(0.28, 0.42)

    def play(duration_s: float) -> Samples:
        n = round(min(duration_s, step_s + 0.75) * rate_hz)
        total = np.zeros(n, dtype=np.float32)
        for start_s, note_hz in ((0.0, pitch_hz), (step_s, pitch_hz / 1.26)):
            start = round(start_s * rate_hz)
            if start < n:
                part = struck(
                    (n - start) / rate_hz, rate_hz, note_hz * np.array([1, 2.0, 3.9]), [1, 0.2, 0.15], [0.9, 0.5, 0.2]
                )
                total[start : start + len(part)] += part[: n - start]
        return total

    return Take(play, {"pitch_hz": pitch_hz, "step_s": step_s})


@source(
    "whistle",
    Words("a whistle", "blows", "blowing", "whistle blast", "whistle blasts"),
    Words("a referee's whistle", "shrills", "shrilling", "shrill whistle", "shrill whistles"),
    interval_s=(0.5, 0.75),
)
def whistle(rng: np.random.Generator, rate_hz: int) -> Take:
    """A high tone that a rolling pea makes tremble, with breath beside it."""
    pitch_hz, trill_hz, length_s = rng.uniform(2000, 2900), rng.uniform(25, 42), rng.uniform(0.28, 0.45)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, length_s), rate_hz)
        pea = np.sin(2 * np.pi * trill_hz * time)
        tone = np.sin(2 * np.pi * cycles(pitch_hz * (1 + 0.025 * pea), rate_hz)) * (0.7 + 0.3 * pea)
        breath = noise(rng, len(time), rate_hz, resonances((pitch_hz, 700, 1.0))) + noise(
            rng, len(time), rate_hz, band(3000, 7000)
        )
        return np.asarray((tone + 0.12 * breath) * swell(len(time), 0.08, 0.12), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "trill_hz": trill_hz})
