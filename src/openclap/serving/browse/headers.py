"""How long each clip is and which cannot be read: as the manifest says, and from the headers in the background."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float

from openclap.audio.decode import audio_info
from openclap.data.example import Example
from openclap.errors import AudioError

_PAUSE_S = 2e-4  # between two files: whoever waits for the page goes first


class Headers:
    """What is known of the sounds, sooner or later; those whose length the manifest does not say are read first.

    Attributes:
        seconds: lengths of the clips; NaN while it is not known, and where the file cannot be read.
        broken: which files could not be read.
        n_read: how many clips have been looked at.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self.seconds: Float[np.ndarray, " clips"] = np.array([e.stated_s for e in examples], dtype=np.float64)
        self.broken: Bool[np.ndarray, " clips"] = np.zeros(len(examples), dtype=bool)
        self.n_read = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="openclap-headers", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def end(self) -> None:
        """Stop reading."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _read(self) -> None:
        unknown = np.isnan(self.seconds)
        for clip in chain(np.flatnonzero(unknown).tolist(), np.flatnonzero(~unknown).tolist()):
            if self._ended.wait(_PAUSE_S):
                return
            example = self._examples[clip]
            try:
                whole_s = audio_info(example.audio).duration_s
            except AudioError:
                self.broken[clip] = True
            else:
                if unknown[clip]:
                    self.seconds[clip] = max(0.0, whole_s - example.start_s)
            self.n_read += 1
