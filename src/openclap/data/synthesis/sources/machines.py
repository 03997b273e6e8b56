"""Machines: engine, helicopter, drill, saw, train horn, car horn, static."""

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
    sung,
    swell,
    wander,
)
from openclap.data.synthesis.source import Take, Words, source


@source(
    "engine",
    Words("an engine", "runs", "running", "running engine"),
    Words("a motor", "idles", "idling", "idling motor"),
)
def engine(rng: np.random.Generator, rate_hz: int) -> Take:
    """Ignitions 25 to 60 times a second, through a body that resonates low; the rate wavers."""
    firing_hz, body_hz = rng.uniform(25, 60), rng.uniform(90, 220)
    body = resonances((body_hz, 90, 1.0), (body_hz * 2.7, 250, 0.5), (1200, 900, 0.12))

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        rate = firing_hz * (0.94 + 0.12 * wander(rng, n, rate_hz, 1.2))
        beat = np.exp(-3.5 * cycles(rate, rate_hz))
        hiss = noise(rng, n, rate_hz, band(80, 900, 1.5))
        return np.asarray(sung(rate, rate_hz, body, 0.1) * (0.4 + beat) + 0.25 * beat * hiss, dtype=np.float32)

    return Take(play, {"firing_hz": firing_hz, "body_hz": body_hz})


@source(
    "helicopter",
    Words("a helicopter", "flies by", "flying by", "flying helicopter"),
    Words("a helicopter", "hovers", "hovering", "hovering helicopter"),
)
def helicopter(rng: np.random.Generator, rate_hz: int) -> Take:
    """Blades that chop the air 9 to 15 times a second over a turbine's whine."""
    blades_hz, turbine_hz = rng.uniform(9, 15), rng.uniform(900, 1700)

    def play(duration_s: float) -> Samples:
        time = seconds(duration_s, rate_hz)
        turn = (time * blades_hz + rng.random()) % 1.0
        chop = np.exp(-7 * turn) * np.minimum(turn * 25, 1)
        air = noise(rng, len(time), rate_hz, band(50, 500, 1.5))
        whine = noise(rng, len(time), rate_hz, resonances((turbine_hz, 40, 1.0)))
        return np.asarray(air * (0.1 + 2 * chop) + 0.35 * whine, dtype=np.float32)

    return Take(play, {"blades_hz": blades_hz, "turbine_hz": turbine_hz})


@source("drill", Words("a drill", "whirs", "whirring", "whirring drill"))
def drill(rng: np.random.Generator, rate_hz: int) -> Take:
    """A buzzing motor tone with grinding noise; it strains in short runs."""
    pitch_hz, runs_hz = rng.uniform(300, 520), rng.uniform(0.7, 1.3)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        strain = wander(rng, n, rate_hz, runs_hz * 2)
        pitch = pitch_hz * (1.05 - 0.15 * strain)
        buzz = harmonic(pitch, rate_hz, 1 / np.arange(1, 25) ** 0.4)
        grind = noise(rng, n, rate_hz, band(2000, 6500, 2)) * (0.5 + 0.5 * np.sin(2 * np.pi * cycles(pitch, rate_hz)))
        return np.asarray(0.5 * buzz + (0.2 + 0.8 * strain) * grind, dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})


@source(
    "saw",
    Words("a saw", "cuts", "cutting", "handsaw", tail="through wood"),
    Words("someone", "saws", "sawing", "sawing", tail="wood", mass=True),
)
def saw(rng: np.random.Generator, rate_hz: int) -> Take:
    """Strokes of toothed noise, forth and, darker, back."""
    strokes_hz, teeth_hz = rng.uniform(1.6, 2.8), rng.uniform(110, 200)

    def play(duration_s: float) -> Samples:
        time = seconds(duration_s, rate_hz)
        turn = (time * strokes_hz + rng.random()) % 2.0
        back = turn >= 1
        stroke = np.sin(np.pi * (turn % 1.0)) ** 2
        teeth = 0.4 + 0.6 * np.maximum(np.sin(2 * np.pi * teeth_hz * np.cumsum(stroke) / rate_hz), 0)
        bright = noise(rng, len(time), rate_hz, band(1500, 4500, 2))
        dark = noise(rng, len(time), rate_hz, band(600, 2200, 2))
        return np.asarray(stroke * teeth * np.where(back, 0.8 * dark, bright), dtype=np.float32)

    return Take(play, {"strokes_hz": strokes_hz, "teeth_hz": teeth_hz})


@source(
    "train-horn",
    Words("a train horn", "blares", "blaring", "train horn blast", "train horn blasts"),
    Words("a train", "whistles", "whistling", "train whistle", "train whistles"),
    interval_s=(1.05, 1.3),
)
def train_horn(rng: np.random.Generator, rate_hz: int) -> Take:
    """A chord of reedy tones, as of a horn with several bells."""
    root_hz = rng.uniform(230, 330)
    chord = (1.0, 1.26, 1.5)

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.75, 1.0))
        time = seconds(length_s, rate_hz)
        pitch = root_hz * (1 - 0.04 * np.exp(-time / 0.06))
        reeds = sum((sung(pitch * step, rate_hz, band(200, 2500), 0.6) for step in chord), np.float32(0))
        air = noise(rng, len(time), rate_hz, band(400, 3000))
        return np.asarray((reeds + 0.1 * air) * swell(len(time), 0.08, 0.15), dtype=np.float32)

    return Take(play, {"root_hz": root_hz})


@source(
    "car-horn",
    Words("a car horn", "honks", "honking", "honk of a car horn", "honks of a car horn"),
    Words("a car", "beeps", "beeping", "car horn beep", "car horn beeps"),
    interval_s=(0.42, 0.6),
)
def car_horn(rng: np.random.Generator, rate_hz: int) -> Take:
    """Two hard buzzing tones a third apart."""
    pitch_hz, length_s = rng.uniform(360, 480), rng.uniform(0.22, 0.36)

    def play(duration_s: float) -> Samples:
        time = seconds(min(duration_s, length_s), rate_hz)
        pitch = np.full_like(time, pitch_hz)
        body = resonances((1800, 1500, 1.0), (700, 500, 0.7))
        reeds = sung(pitch, rate_hz, body, 0.0) + sung(pitch * 1.25, rate_hz, body, 0.0)
        return np.asarray(reeds * swell(len(time), 0.05, 0.08))

    return Take(play, {"pitch_hz": pitch_hz, "length_s": length_s})


@source(
    "static",
    Words("static noise", "hisses", "hissing", "static noise", mass=True),
    Words("a radio", "hisses", "hissing", "radio static", mass=True),
)
def static(rng: np.random.Generator, rate_hz: int) -> Take:
    """Flat noise and electric clicks: brighter and steadier than rain."""
    clicks_hz, wander_hz = rng.uniform(3, 12), rng.uniform(2, 6)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        hiss = noise(rng, n, rate_hz) * (0.8 + 0.2 * wander(rng, n, rate_hz, wander_hz))
        for at in rng.integers(0, n, rng.poisson(clicks_hz * duration_s)):
            click = noise(rng, 200, rate_hz) * decay(200, rate_hz, 0.0, 0.01)
            hiss[at : at + 200] += 6 * click[: n - at]
        return np.asarray(hiss, dtype=np.float32)

    return Take(play, {"clicks_hz": clicks_hz})
