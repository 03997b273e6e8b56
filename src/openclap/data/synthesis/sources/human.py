"""People: voice, applause, footsteps, heartbeat, cough."""

from __future__ import annotations

import numpy as np

from openclap.data.synthesis.dsp import Samples, add_at, band, cycles, decay, noise, resonances, seconds, sung, swell
from openclap.data.synthesis.source import Take, Words, source

# First three formants (Hz) of an adult man: Peterson and Barney, 1952, "Control methods used in a study of the vowels".
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


@source(
    "voice",
    Words("a voice", "sings", "singing", "sung vowel", "sung vowels"),
    Words("a person", "sings", "singing", "sung note", "sung notes"),
    interval_s=(0.65, 0.95),
)
def voice(rng: np.random.Generator, rate_hz: int) -> Take:
    """A vowel: glottal harmonics through three formants, with vibrato."""
    pitch_hz = float(np.exp(rng.uniform(np.log(110), np.log(330))))
    size = 1.0 + 0.17 * (pitch_hz > 190)  # a shorter throat goes with a higher voice
    first, second, third = _VOWELS[rng.integers(len(_VOWELS))]
    throat = resonances((first * size, 90, 1.0), (second * size, 110, 0.6), (third * size, 170, 0.3))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.5, 0.75))
        time = seconds(length_s, rate_hz)
        pitch = pitch_hz * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * time)) * (1.02 - 0.04 * time / length_s)
        return np.asarray(sung(pitch, rate_hz, throat, 0.8) * swell(len(time), 0.12, 0.2))

    return Take(play, {"pitch_hz": pitch_hz, "first_formant_hz": first * size, "second_formant_hz": second * size})


@source(
    "applause",
    Words("an audience", "applauds", "applauding", "applause", mass=True),
    Words("people", "clap", "clapping", "clapping", mass=True),
)
def applause(rng: np.random.Generator, rate_hz: int) -> Take:
    """Many hands, each clapping at its own rate and colour."""
    people, hands_hz = int(rng.integers(12, 40)), rng.uniform(1100, 1900)

    def play(duration_s: float) -> Samples:
        total = noise(rng, round(duration_s * rate_hz), rate_hz, band(700, 3500)) * np.float32(0.04)
        length = round(0.03 * rate_hz)
        for _ in range(people):
            colour_hz = hands_hz * rng.uniform(0.7, 1.4)
            clap = noise(rng, length, rate_hz, resonances((colour_hz, 700, 1.0), (colour_hz * 2.3, 1500, 0.4)))
            clap *= decay(length, rate_hz, 0.001, 0.03) * rng.uniform(0.3, 1.0)
            period_s, at_s = rng.uniform(0.2, 0.32), rng.uniform(0, 0.3)
            while at_s < duration_s:
                add_at(total, clap, round(at_s * rate_hz))
                at_s += period_s * rng.uniform(0.9, 1.1)
        return total

    return Take(play, {"people": people, "hands_hz": hands_hz})


@source(
    "footsteps",
    Words("someone", "walks by", "walking by", "footsteps", mass=True),
    Words("footsteps", "pass", "passing", "footsteps", mass=True),
)
def footsteps(rng: np.random.Generator, rate_hz: int) -> Take:
    """Heel, then sole, left and right slightly different, at a steady pace."""
    steps_hz, floor_hz = rng.uniform(1.5, 2.4), rng.uniform(140, 380)

    def play(duration_s: float) -> Samples:
        total = np.zeros(round(duration_s * rate_hz), dtype=np.float32)
        length = round(0.14 * rate_hz)
        count = int(duration_s * steps_hz) + 1
        for step in range(count):
            tilt = 1.12 if step % 2 else 1.0
            heel = noise(rng, length, rate_hz, resonances((floor_hz * tilt, 110, 1.0), (1300 * tilt, 900, 0.12)))
            sole = noise(rng, length, rate_hz, band(600, 2600)) * decay(length, rate_hz, 0.01, 0.09)
            at = round((0.05 + step / steps_hz + rng.normal(0, 0.006)) * rate_hz)
            add_at(total, heel * decay(length, rate_hz, 0.002, 0.09), at)
            add_at(total, np.float32(0.1) * sole, at + round(0.055 * rate_hz))
        return total

    return Take(play, {"steps_hz": steps_hz, "floor_hz": floor_hz})


@source("heartbeat", Words("a heart", "beats", "beating", "beating heart"))
def heartbeat(rng: np.random.Generator, rate_hz: int) -> Take:
    """Two low thuds a beat: "lub", a third of a beat later the shorter "dub"."""
    beats_hz, pitch_hz = rng.uniform(1.0, 1.8), rng.uniform(45, 75)

    def play(duration_s: float) -> Samples:
        total = np.zeros(round(duration_s * rate_hz), dtype=np.float32)
        for thud, (late, strength, raised) in enumerate(((0.0, 1.0, 1.0), (0.32, 0.7, 1.25))):
            time = seconds(0.2, rate_hz)
            pitch = pitch_hz * raised * (1 + 0.5 * np.exp(-time / 0.03))
            sound = np.sin(2 * np.pi * cycles(pitch, rate_hz)) * decay(len(time), rate_hz, 0.01, 0.2 - 0.05 * thud)
            for beat in range(int(duration_s * beats_hz) + 1):
                add_at(total, np.float32(strength) * sound, round((0.05 + (beat + late) / beats_hz) * rate_hz))
        return total

    return Take(play, {"beats_hz": beats_hz, "pitch_hz": pitch_hz})


@source("cough", Words("someone", "coughs", "coughing", "cough", "coughs"), interval_s=(0.45, 0.7))
def cough(rng: np.random.Generator, rate_hz: int) -> Take:
    """A burst of breath through an open throat, then a short voiced tail."""
    pitch_hz, size = rng.uniform(130, 260), rng.uniform(0.9, 1.25)
    throat = resonances((700 * size, 350, 1.0), (1500 * size, 500, 0.7), (3000 * size, 1200, 0.4))

    def play(duration_s: float) -> Samples:
        length_s = min(duration_s, rng.uniform(0.28, 0.4))
        time = seconds(length_s, rate_hz)
        burst = noise(rng, len(time), rate_hz, throat) * decay(len(time), rate_hz, 0.008, 0.3)
        tail = sung(pitch_hz * (1.1 - 0.5 * time / length_s), rate_hz, throat, 0.5) * swell(len(time), 0.5, 0.4)
        peak = float(np.abs(burst).max())
        return np.asarray(burst / peak + 0.25 * tail / float(np.abs(tail).max()), dtype=np.float32)

    return Take(play, {"pitch_hz": pitch_hz})
