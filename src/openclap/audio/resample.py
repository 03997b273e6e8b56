"""One resampler for training and use: soxr at its "HQ" setting (134 dB signal to noise, flat to 0.91 of Nyquist)."""

from __future__ import annotations

import numpy as np
import soxr

from openclap.audio.decode import checked_rate
from openclap.types import Waveform


def resample(waveform: Waveform, sample_rate_hz: int) -> Waveform:
    """The waveform at another rate in Hz, the same length in seconds; the very same object if the rate is the same.

    Raises:
        AudioFormatError: for a rate that is no rate.
    """
    if waveform.sample_rate_hz == sample_rate_hz:
        return waveform
    checked_rate(sample_rate_hz, "<waveform>")
    samples = soxr.resample(waveform.samples, waveform.sample_rate_hz, sample_rate_hz, quality="HQ")
    return Waveform(np.ascontiguousarray(samples, dtype=np.float32), sample_rate_hz)
