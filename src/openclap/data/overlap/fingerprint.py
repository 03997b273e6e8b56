"""What is left of a sound when its coding, rate, level and length have changed: enough to know it by.

Two published ideas on one log-mel spectrogram (16 kHz mono, frames of 64 ms every 10 ms, 130 mel bands to 7.2 kHz):

- Landmarks find candidates. Peaks of the spectrogram outlive coding and noise; pairs of peaks near each other are
  looked up, and a recording shows as many pairs that agree on one shift in time. A. Wang, "An industrial-strength audio
  search algorithm", ISMIR 2003.
- Sub-fingerprints decide. A bit for each band and frame says whether the step to the next band grows or falls with
  time; of two encodings of one recording most bits agree, of two recordings half. J. Haitsma and T. Kalker, "A highly
  robust audio fingerprinting system", ISMIR 2002.

Written from the papers. What differs: mel bands instead of Fourier bins and of a log scale to 2 kHz; frames of 64 ms
instead of 370 ms, since clips of half a second are common here; and each bit has a mask that is set only where both
bands are within 40 dB of the loudest within half a second. Digital silence, which is the same everywhere, and the noise
floor, which every coder makes anew, therefore say nothing. Another pitch or speed is another sound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int, UInt32, UInt64
from torch import Tensor
from torch.nn import functional as F

from openclap.audio.mel import LogMel, MelConfig
from openclap.audio.resample import resample
from openclap.types import Waveform

VERSION = 1
"""Raise it when a change gives other fingerprints of the same sound: kept ones are then made anew."""

SAMPLE_RATE_HZ = 16_000
"""What is heard of a sound."""

FRAME_S = 0.01
"""From one frame to the next, in seconds."""

HASHES = 1 << 20
"""Landmarks' hashes are below this."""

_MEL = MelConfig(
    sample_rate_hz=SAMPLE_RATE_HZ,
    n_mels=130,
    n_fft=1024,
    win_length=1024,
    hop_length=160,
    f_min_hz=100.0,
    f_max_hz=7_200.0,
    mel_norm="none",
    framing="snip-edges",  # frames of nothing but the sound: an edge that is padded is no part of a longer recording
    remove_waveform_mean=True,
    log="ln",
    amin=1e-10,
)
_DB = math.log(10.0) / 10.0
_FLOOR = -18.0  # in the logarithm of energy: about the rounding noise of 16-bit samples
_AROUND = 50  # frames to either side that "the loudest near by" is of
_BANDS = 65  # of the bits: two mel bands each
_LAG = 4  # frames over which a step's growth is seen
_BIT_RANGE_DB = 40.0
_PEAK_RANGE_DB = 45.0
_PEAK_BANDS, _PEAK_FRAMES = 4, 5  # a peak is the largest so far around it
_FAN, _LATEST, _WIDEST = 4, 63, 31  # pairs a peak begins; how far in frames and bands their second peak is


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A sound's peaks and bits.

    Attributes:
        peaks: 256 · frame + mel band, rising.
        bits: of each frame, bit b for bands b and b + 1; 0 where the mask is.
        mask: which bits say something.
    """

    peaks: UInt32[np.ndarray, " peaks"]
    bits: UInt64[np.ndarray, " frames"]
    mask: UInt64[np.ndarray, " frames"]


def fingerprint(waveform: Waveform) -> Fingerprint:
    """The fingerprint of a sound at any rate; without frames if it is shorter than 0.1 s."""
    samples = torch.from_numpy(resample(waveform, _MEL.sample_rate_hz).samples)
    if _MEL.count_frames(len(samples)) <= _LAG:
        nothing = np.zeros(0, np.uint64)
        return Fingerprint(np.zeros(0, np.uint32), nothing, nothing)
    energies = _log_mel()(samples[None])[0]
    loudest = F.max_pool1d(energies.amax(1)[None], 2 * _AROUND + 1, 1, _AROUND)[0]
    return Fingerprint(_peaks(energies, loudest), *_bits(energies, loudest))


def landmarks(found: Fingerprint) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Pairs of peaks near each other: a hash of each (bands and time between), and the frame of its first peak."""
    frames, bands = (found.peaks >> 8).astype(np.int64), (found.peaks & 255).astype(np.int64)
    begun = np.zeros(len(frames), np.int64)
    hashes, firsts = [], []
    for step in range(1, min(len(frames), _FURTHEST)):
        later, higher = frames[step:] - frames[:-step], bands[step:] - bands[:-step]
        fits = (later > 0) & (later <= _LATEST) & (abs(higher) <= _WIDEST) & (begun[:-step] < _FAN)
        first = np.flatnonzero(fits)
        begun[first] += 1
        hashes.append((bands[first] << 12) | ((higher[first] + _WIDEST) << 6) | later[first])
        firsts.append(frames[first])
    if not hashes:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(hashes), np.concatenate(firsts)


_FURTHEST = 48  # peaks looked at after each for its pairs: more than that are never within reach


@cache
def _log_mel() -> LogMel:
    return LogMel(_MEL)


def _peaks(energies: Float[Tensor, "frames mels"], loudest: Float[Tensor, " frames"]) -> UInt32[np.ndarray, " peaks"]:
    wide, long = 2 * _PEAK_BANDS + 1, 2 * _PEAK_FRAMES + 1
    # One direction after the other: the maximum over a rectangle, in a tenth of the time.
    around = F.max_pool1d(energies, wide, 1, _PEAK_BANDS)
    around = F.max_pool1d(around.T.contiguous(), long, 1, _PEAK_FRAMES).T
    threshold = (loudest - _PEAK_RANGE_DB * _DB).clamp(min=_FLOOR)[:, None]
    frames, bands = torch.nonzero((energies == around) & (energies > threshold), as_tuple=True)
    return (frames * 256 + bands).numpy().astype(np.uint32)


def _bits(
    energies: Float[Tensor, "frames mels"], loudest: Float[Tensor, " frames"]
) -> tuple[UInt64[np.ndarray, " frames"], UInt64[np.ndarray, " frames"]]:
    bands = energies.exp().reshape(len(energies), _BANDS, -1).mean(2).log()
    steps = bands[:, :-1] - bands[:, 1:]
    heard = bands > (loudest - _BIT_RANGE_DB * _DB).clamp(min=_FLOOR)[:, None]
    both = heard[:, :-1] & heard[:, 1:]
    mask = both[_LAG:] & both[:-_LAG]
    return _packed((steps[_LAG:] > steps[:-_LAG]) & mask), _packed(mask)


def _packed(flags: Tensor) -> UInt64[np.ndarray, " frames"]:
    return np.packbits(flags.numpy(), axis=1, bitorder="little").view("<u8").reshape(-1).astype(np.uint64)
