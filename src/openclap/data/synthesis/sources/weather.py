"""Weather and water: rain, wind, thunder, waves, fire, drops."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import Samples, band, cycles, decay, filtered, noise, resonances, seconds, wander
from openclap.data.synthesis.source import Take, Words, source


@source(
    "rain",
    Words("rain", "falls", "falling", "rain", mass=True),
    Words("rain", "patters", "pattering", "rainfall", mass=True),
)
def rain(rng: np.random.Generator, rate_hz: int) -> Take:
    """Bright steady noise, and single drops on it."""
    drops_hz, brightness_hz = rng.uniform(80, 500), rng.uniform(3500, 7000)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        bed = noise(rng, n, rate_hz)
        hit = rng.random(n) < drops_hz / rate_hz
        bed[hit] += rng.exponential(5.0, int(hit.sum())).astype(np.float32) * rng.choice([-1, 1], int(hit.sum()))
        return filtered(bed, rate_hz, band(900, brightness_hz, 1.5))

    return Take(play, {"drops_hz": drops_hz, "brightness_hz": brightness_hz})


@source(
    "wind",
    Words("wind", "blows", "blowing", "wind", mass=True),
    Words("the wind", "howls", "howling", "howling wind", mass=True),
)
def wind(rng: np.random.Generator, rate_hz: int) -> Take:
    """Low noise in gusts, with a whistling band that grows with them."""
    whistle_hz, gusts_hz = rng.uniform(380, 800), rng.uniform(0.5, 1.4)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        gust = 0.15 + wander(rng, n, rate_hz, gusts_hz)
        low = noise(rng, n, rate_hz, band(60, 300, 3))
        high = noise(rng, n, rate_hz, resonances((whistle_hz, 60, 1.0), (whistle_hz * 1.6, 110, 0.4)))
        return np.asarray(gust * low + 1.5 * gust**2 * high, dtype=np.float32)

    return Take(play, {"whistle_hz": whistle_hz, "gusts_hz": gusts_hz})


@source(
    "thunder",
    Words("thunder", "rumbles", "rumbling", "rumble of thunder", "rumbles of thunder"),
    Words("thunder", "claps", "clapping", "clap of thunder", "claps of thunder"),
    interval_s=(1.5, 2.0),
)
def thunder(rng: np.random.Generator, rate_hz: int) -> Take:
    """A crack, then several rolls of low noise."""
    depth_hz, crack = rng.uniform(90, 180), rng.uniform(0.2, 1.0)

    def play(duration_s: float) -> Samples:
        n = round(min(duration_s, rng.uniform(1.6, 2.6)) * rate_hz)
        rolls = (0.3 + wander(rng, n, rate_hz, 6.0)) * decay(n, rate_hz, 0.06, 2.4)
        rumble = noise(rng, n, rate_hz, band(25, depth_hz, 3)) * rolls
        snap = noise(rng, n, rate_hz, band(200, 3000, 1.5)) * decay(n, rate_hz, 0.003, 0.35)
        return np.asarray(3 * rumble + crack * 0.5 * snap, dtype=np.float32)

    return Take(play, {"depth_hz": depth_hz, "crack": crack})


@source(
    "waves",
    Words("waves", "break", "breaking", "waves", tail="on a shore", mass=True),
    Words("waves", "roll in", "rolling in", "ocean waves", mass=True),
)
def waves(rng: np.random.Generator, rate_hz: int) -> Take:
    """Noise that swells slowly; its treble comes late and stays as foam."""
    period_s = rng.uniform(1.7, 3.2)
    offset = rng.random()

    def play(duration_s: float) -> Samples:
        time = seconds(duration_s, rate_hz)
        turn = (time / period_s + offset) % 1.0
        rise = np.exp(-(((turn - 0.45) / 0.16) ** 2))
        foam = np.where(turn > 0.45, np.exp(-(turn - 0.45) / 0.22), np.exp(-(((turn - 0.45) / 0.06) ** 2)))
        foam *= np.minimum(4 * (1 - turn), 1)
        low = noise(rng, len(time), rate_hz, band(120, 700, 2))
        high = noise(rng, len(time), rate_hz, band(1500, 6000, 2))
        return np.asarray((0.1 + rise) * low + 0.7 * foam * high, dtype=np.float32)

    return Take(play, {"period_s": period_s})


@source(
    "fire",
    Words("a fire", "crackles", "crackling", "crackling fire"),
    Words("flames", "crackle", "crackling", "crackling flames", mass=True),
)
def fire(rng: np.random.Generator, rate_hz: int) -> Take:
    """Sparse crackles of very different size over a faint low roar."""
    crackles_hz = rng.uniform(12, 35)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        snaps = np.zeros(n, dtype=np.float32)
        at = rng.integers(0, n, max(1, rng.poisson(crackles_hz * duration_s)))
        # One click is a few samples of noise; sizes follow a heavy tail, as breaking fibres do.
        sizes = np.minimum(rng.pareto(1.6, len(at)) + 0.3, 5)
        for offset in range(24):
            where = np.minimum(at + offset, n - 1)
            snaps[where] += (sizes * rng.standard_normal(len(at)) * np.exp(-offset / 6)).astype(np.float32)
        roar = noise(rng, n, rate_hz, band(40, 250, 2)) * (0.4 + wander(rng, n, rate_hz, 4.0))
        crackle = filtered(snaps, rate_hz, band(1200, 6500, 2))
        return np.asarray(crackle + 0.25 * roar, dtype=np.float32)

    return Take(play, {"crackles_hz": crackles_hz})


@source(
    "water-drop",
    Words("a drop of water", "falls", "falling", "drop of water", "drops of water"),
    Words("water", "drips", "dripping", "water drip", "water drips"),
    interval_s=(0.3, 0.6),
)
def water_drop(rng: np.random.Generator, rate_hz: int) -> Take:
    """A short sine that rises: the bubble under the drop shrinks."""
    pitch_hz = rng.uniform(700, 1600)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, 0.22), rate_hz)
        pitch = pitch_hz * rng.uniform(0.93, 1.07) * (1 + 5.0 * time)
        tone = np.sin(2 * np.pi * cycles(pitch, rate_hz)) * decay(len(time), rate_hz, 0.003, 0.18)
        splash = noise(rng, len(time), rate_hz, band(2500, 7000)) * decay(len(time), rate_hz, 0.001, 0.03)
        return np.asarray(tone + 0.3 * splash, dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})
