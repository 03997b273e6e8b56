"""Things of a house: door knock, glass, typing, clock."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import Samples, add_at, band, decay, noise, resonances, struck
from openclap.data.synthesis.source import Take, Words, source


@source(
    "door-knock",
    Words("someone", "knocks", "knocking", "knock on a door", "knocks on a door", tail="on a door"),
    interval_s=(0.24, 0.42),
)
def door_knock(rng: np.random.Generator, rate_hz: int) -> Take:
    """Knuckles on wood: a thud with a few short-lived resonances of the panel."""
    panel_hz = rng.uniform(140, 260)
    modes_hz = panel_hz * np.array([1.0, 1.7, 2.6, 4.1])

    def play(duration_s: float) -> Samples:
        strengths = np.array([1.0, 0.6, 0.35, 0.2]) * rng.uniform(0.8, 1.2, 4)
        wood = struck(min(duration_s, 0.2), rate_hz, modes_hz, strengths, [0.16, 0.12, 0.08, 0.05])
        click = noise(rng, len(wood), rate_hz, band(700, 3500)) * decay(len(wood), rate_hz, 0.0005, 0.02)
        return np.asarray(wood + 0.3 * click, dtype=np.float32)

    return Take(play, {"panel_hz": panel_hz})


@source(
    "glass",
    Words("a glass", "clinks", "clinking", "clink of glass", "clinks of glass"),
    interval_s=(0.4, 0.7),
)
def glass(rng: np.random.Generator, rate_hz: int) -> Take:
    """A rim struck lightly: a few high partials, far from harmonic."""
    pitch_hz, decay_s = rng.uniform(1500, 2600), rng.uniform(0.35, 0.8)
    ratios = np.array([1.0, 2.32, 2.4, 3.9])

    def play(duration_s: float) -> Samples:
        strengths = np.array([1.0, 0.6, 0.4, 0.3]) * rng.uniform(0.8, 1.2, 4)
        return struck(min(duration_s, 0.8), rate_hz, pitch_hz * ratios, strengths, decay_s / ratios**0.7)

    return Take(play, {"pitch_hz": pitch_hz, "decay_s": decay_s})


@source(
    "typing",
    Words("someone", "types", "typing", "typing", tail="on a keyboard", mass=True),
    Words("a keyboard", "clatters", "clattering", "keyboard clatter", mass=True),
)
def typing(rng: np.random.Generator, rate_hz: int) -> Take:
    """Irregular light clicks, each with the key's return after it."""
    keys_hz, plastic_hz = rng.uniform(5, 9), rng.uniform(1800, 3200)

    def play(duration_s: float) -> Samples:
        total = np.zeros(round(duration_s * rate_hz), dtype=np.float32)
        length = round(0.03 * rate_hz)
        envelope = decay(length, rate_hz, 0.0005, 0.025)
        at_s = rng.uniform(0.02, 0.1)
        while at_s < duration_s:
            colour = resonances((plastic_hz * rng.uniform(0.8, 1.25), 900, 1.0), (350, 200, 0.5))
            press = noise(rng, length, rate_hz, colour) * envelope * rng.uniform(0.6, 1.0)
            add_at(total, press, round(at_s * rate_hz))
            add_at(total, np.float32(0.35) * press[::-1] * envelope, round((at_s + rng.uniform(0.05, 0.08)) * rate_hz))
            at_s += rng.gamma(4.0, 1 / (4.0 * keys_hz)) + 0.03  # people type unevenly, and never two keys at once
        return total

    return Take(play, {"keys_hz": keys_hz, "plastic_hz": plastic_hz})


@source("clock", Words("a clock", "ticks", "ticking", "ticking clock"))
def clock(rng: np.random.Generator, rate_hz: int) -> Take:
    """A dry click at an even rate: every other one, the tock, lower."""
    ticks_hz, pitch_hz = rng.uniform(1.8, 4.0), rng.uniform(1800, 3500)

    def play(duration_s: float) -> Samples:
        total = np.zeros(round(duration_s * rate_hz), dtype=np.float32)
        for tick in range(int(duration_s * ticks_hz) + 1):
            high_hz = pitch_hz * (0.8 if tick % 2 else 1.0)
            click = struck(0.05, rate_hz, [high_hz, high_hz * 1.63, 600.0], [1.0, 0.5, 0.25], [0.03, 0.02, 0.04])
            add_at(total, click, round((0.04 + tick / ticks_hz) * rate_hz))
        return total

    return Take(play, {"ticks_hz": ticks_hz, "pitch_hz": pitch_hz})
