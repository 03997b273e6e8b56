"""One resampler for training and use: soxr at its "HQ" setting (134 dB signal to noise, flat to 0.91 of Nyquist)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from openclap.audio.source import checked_rate
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


def resample_blocks(blocks: Iterable[Waveform], sample_rate_hz: int) -> Iterator[Waveform]:
    """Consecutive blocks of one sound at another rate: together the very same samples as `resample` of the whole.

    The resampler carries over from block to block what it needs, so that a block may come out a little shorter or
    longer than its time, or empty; at the same rate the blocks pass as they are.

    Raises:
        AudioFormatError: for a rate that is no rate.
    """
    checked_rate(sample_rate_hz, "<waveform>")
    resampler = None
    for block in blocks:
        if block.sample_rate_hz == sample_rate_hz:
            yield block
            continue
        if resampler is None:
            resampler = soxr.ResampleStream(block.sample_rate_hz, sample_rate_hz, 1, dtype="float32", quality="HQ")
        yield Waveform(resampler.resample_chunk(block.samples), sample_rate_hz)
    if resampler is not None:
        yield Waveform(resampler.resample_chunk(np.zeros(0, np.float32), last=True), sample_rate_hz)
