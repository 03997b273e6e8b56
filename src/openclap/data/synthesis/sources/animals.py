"""Animals: dog, cat, bird, crickets, frog, owl, cow, bee."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import Samples, band, cycles, harmonic, noise, resonances, seconds, sung, swell
from openclap.data.synthesis.source import Take, Words, source


@source("dog", Words("a dog", "barks", "barking", "dog bark", "dog barks"), interval_s=(0.38, 0.6))
def dog(rng: np.random.Generator, rate_hz: int) -> Take:
    """A short harsh tone that jumps up and falls, with breath."""
    pitch_hz, size = rng.uniform(280, 620), rng.uniform(0.8, 1.25)
    throat = resonances((650 * size, 300, 1.0), (1500 * size, 500, 0.8), (2700 * size, 900, 0.4))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.17, 0.24))
        time = seconds(length_s, rate_hz)
        turn = time / length_s
        pitch = pitch_hz * rng.uniform(0.95, 1.05) * (0.75 + 0.6 * np.sin(np.pi * turn**0.6))
        rough = 1 + 0.35 * np.sin(2 * np.pi * 75 * time)
        breath = noise(rng, len(time), rate_hz, throat)
        voice = sung(pitch, rate_hz, throat, 0.6) * rough
        return np.asarray((voice + 0.5 * breath) * swell(len(time), 0.12, 0.6), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})


@source("cat", Words("a cat", "meows", "meowing", "cat meow", "cat meows"), interval_s=(0.85, 1.1))
def cat(rng: np.random.Generator, rate_hz: int) -> Take:
    """A long arch of pitch that opens from "ee" to "ow"."""
    pitch_hz = rng.uniform(480, 780)
    closed = resonances((500, 200, 0.8), (2600, 500, 1.0), (3400, 700, 0.5))
    opened = resonances((1000, 350, 1.0), (1600, 400, 0.8), (3200, 700, 0.3))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.55, 0.8))
        time = seconds(length_s, rate_hz)
        turn = time / length_s
        pitch = pitch_hz * (0.85 + 0.3 * np.sin(np.pi * turn**0.7)) * (1 + 0.012 * np.sin(2 * np.pi * 7 * time))
        mix = np.clip((turn - 0.15) / 0.35, 0, 1)
        voice = (1 - mix) * sung(pitch, rate_hz, closed, 0.5) + mix * sung(pitch, rate_hz, opened, 0.5)
        return np.asarray(voice * swell(len(time), 0.2, 0.5), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})


@source(
    "bird",
    Words("a bird", "chirps", "chirping", "bird chirp", "bird chirps"),
    Words("a bird", "tweets", "tweeting", "bird tweet", "bird tweets"),
    interval_s=(0.3, 0.55),
)
def bird(rng: np.random.Generator, rate_hz: int) -> Take:
    """A quick whistled sweep between 2.5 and 6 kHz."""
    pitch_hz, sweep = rng.uniform(2800, 4600), float(rng.uniform(0.15, 0.4) * rng.choice([-1, 1]))
    warble_hz = rng.uniform(20, 40)

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.13, 0.22))
        time = seconds(length_s, rate_hz)
        pitch = pitch_hz * (1 + sweep * (time / length_s - 0.5)) * (1 + 0.05 * np.sin(2 * np.pi * warble_hz * time))
        tone = np.sin(2 * np.pi * cycles(pitch * rng.uniform(0.97, 1.03), rate_hz))
        return np.asarray(tone * swell(len(time), 0.2, 0.4), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "sweep": sweep})


@source("crickets", Words("crickets", "chirp", "chirping", "crickets", mass=True))
def crickets(rng: np.random.Generator, rate_hz: int) -> Take:
    """A steady whistle near 4.5 kHz, cut into pulses, and these into chirps."""
    pitch_hz, chirps_hz, pulses_hz = rng.uniform(3900, 5200), rng.uniform(2.0, 4.0), rng.uniform(26, 38)

    def play(duration_s: float) -> Samples:
        time = seconds(duration_s, rate_hz)
        total = np.zeros(len(time), dtype=np.float32)
        for loudness, detune in ((1.0, 1.0), (0.35, 1.03)):  # a near one and a far one
            chirp = np.clip(6 * np.sin(2 * np.pi * (time * chirps_hz * detune + rng.random())), 0, 1)
            pulse = np.maximum(np.sin(2 * np.pi * pulses_hz * time), 0) ** 2
            tone = np.sin(2 * np.pi * cycles(np.full_like(time, pitch_hz * detune), rate_hz))
            total += np.float32(loudness) * (chirp * pulse * tone).astype(np.float32)
        return total

    return Take(play, {"pitch_hz": pitch_hz, "chirps_hz": chirps_hz, "pulses_hz": pulses_hz})


@source("frog", Words("a frog", "croaks", "croaking", "frog croak", "frog croaks"), interval_s=(0.55, 0.8))
def frog(rng: np.random.Generator, rate_hz: int) -> Take:
    """A run of pulses through a wide mouth, quick enough to be heard as a rattle."""
    pulses_hz, mouth_hz = rng.uniform(32, 60), rng.uniform(550, 1100)
    mouth = resonances((mouth_hz, 180, 1.0), (mouth_hz * 2.1, 350, 0.4))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.3, 0.42))
        time = seconds(length_s, rate_hz)
        pulses = pulses_hz * (1 + 0.25 * time / length_s)
        croak = sung(pulses, rate_hz, mouth, 0.0)
        beat = np.exp(-5 * cycles(pulses, rate_hz))
        return np.asarray(croak * beat * swell(len(time), 0.15, 0.3), dtype=np.float32)

    return Take(play, {"pulses_hz": pulses_hz, "mouth_hz": mouth_hz})


@source("owl", Words("an owl", "hoots", "hooting", "owl hoot", "owl hoots"), interval_s=(0.65, 0.9))
def owl(rng: np.random.Generator, rate_hz: int) -> Take:
    """A low, almost pure tone that sinks a little."""
    pitch_hz = rng.uniform(280, 430)

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.38, 0.52))
        time = seconds(length_s, rate_hz)
        pitch = pitch_hz * (1.03 - 0.09 * time / length_s) * (1 + 0.01 * np.sin(2 * np.pi * 6 * time))
        breath = noise(rng, len(time), rate_hz, resonances((pitch_hz, 120, 1.0)))
        tone = harmonic(pitch, rate_hz, [1.0, 0.08, 0.03]) + 0.08 * breath
        return np.asarray(tone * swell(len(time), 0.25, 0.4), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})


@source("cow", Words("a cow", "moos", "mooing", "cow moo", "cow moos"), interval_s=(1.15, 1.4))
def cow(rng: np.random.Generator, rate_hz: int) -> Take:
    """A long low tone whose mouth opens from "m" to "oo"."""
    pitch_hz = rng.uniform(95, 160)
    hummed = resonances((250, 120, 1.0))
    opened = resonances((420, 160, 1.0), (900, 250, 0.7), (2300, 500, 0.15))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.9, 1.15))
        time = seconds(length_s, rate_hz)
        turn = time / length_s
        pitch = pitch_hz * (0.9 + 0.18 * np.sin(np.pi * turn**0.8))
        mix = np.clip((turn - 0.1) / 0.25, 0, 1)
        voice = (1 - mix) * sung(pitch, rate_hz, hummed, 0.3) + mix * sung(pitch, rate_hz, opened, 0.3)
        return np.asarray(voice * swell(len(time), 0.15, 0.3), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})


@source("bee", Words("a bee", "buzzes", "buzzing", "buzzing bee"))
def bee(rng: np.random.Generator, rate_hz: int) -> Take:
    """Wing beats near 220 Hz, rich in harmonics, drifting in pitch and strength as it flies about."""
    pitch_hz, flight_hz = rng.uniform(170, 270), rng.uniform(1.5, 4.0)

    def play(duration_s: float) -> Samples:
        n = round(duration_s * rate_hz)
        drift = np.sin(2 * np.pi * flight_hz * seconds(duration_s, rate_hz)[:n] + rng.uniform(0, 6.28))
        pitch = pitch_hz * (1 + 0.05 * drift).astype(np.float32)
        wings = sung(pitch, rate_hz, band(300, 2500, 1.5), 0.5)
        return np.asarray(wings * (0.65 + 0.35 * drift), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz, "flight_hz": flight_hz})
