"""How long each clip is: as the manifest says, or else read from the files' headers in the background."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from openclap.audio.decode import audio_info
from openclap.data.example import Example
from openclap.errors import AudioError

_PAUSE_S = 2e-4  # between two files: whoever waits for the page goes first
_STATED = ("seconds", "duration", "length_s")  # columns that mostly state how long the file is


class Lengths:
    """Lengths in seconds, known sooner or later.

    Attributes:
        seconds: of each clip; NaN while it is not known, and where the file cannot be read.
        broken: which files could not be read.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self.seconds: Float[np.ndarray, " clips"] = np.array([_stated(e) for e in examples], dtype=np.float64)
        self.broken: Bool[np.ndarray, " clips"] = np.zeros(len(examples), dtype=bool)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="openclap-lengths", daemon=True)

    @property
    def known(self) -> int:
        """How many lengths are settled: known, or known not to be had."""
        return int(np.count_nonzero(~np.isnan(self.seconds) | self.broken))

    def start(self) -> None:
        """Begin to read what the manifest does not say."""
        self._thread.start()

    def end(self) -> None:
        """Stop reading."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _read(self) -> None:
        for clip in np.flatnonzero(np.isnan(self.seconds)).tolist():
            if self._ended.wait(_PAUSE_S):
                return
            example = self._examples[clip]
            try:
                whole_s = audio_info(example.audio).duration_s
            except AudioError:
                self.broken[clip] = True
            else:
                self.seconds[clip] = max(0.0, whole_s - example.start_s)


def _stated(example: Example) -> float:
    if example.duration_s is not None:
        return example.duration_s
    for name in _STATED:
        try:
            seconds = float(example.extra.get(name, "nan")) - example.start_s
        except (TypeError, ValueError):
            continue
        if 0 < seconds < np.inf:
            return seconds
    return np.nan
