"""One property by which clips are told apart, such as split or label: which have a value, and how many have each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int

Mask: TypeAlias = Bool[np.ndarray, " clips"]


class Facet:
    """The values of one property of every clip; a clip may have several.

    Args:
        values: of each clip in turn. A clip without any has the value "".
    """

    def __init__(self, values: Iterable[Sequence[str]]) -> None:
        places: dict[str, int] = {}
        codes: list[int] = []
        owners: list[int] = []
        self._n_clips = 0
        for clip, names in enumerate(values):
            self._n_clips += 1
            for name in dict.fromkeys(names or ("",)):
                codes.append(places.setdefault(name, len(places)))
                owners.append(clip)
        self.names = tuple(places)
        self._places = places
        self._codes: Int[np.ndarray, " pairs"] = np.array(codes, dtype=np.int32)
        self._owners: Int[np.ndarray, " pairs"] = np.array(owners, dtype=np.int32)

    def fits(self, names: Iterable[str]) -> Mask:
        """Which clips have any of the values."""
        wanted = [self._places[name] for name in names if name in self._places]
        mask = np.zeros(self._n_clips, dtype=bool)
        mask[self._owners[np.isin(self._codes, wanted)]] = True
        return mask

    def counts(self, mask: Mask, most: int | None = None) -> list[tuple[str, int]]:
        """Values and how many of the masked clips have each, the commonest first; `most` keeps so many of them."""
        counted = np.bincount(self._codes[mask[self._owners]], minlength=len(self.names))
        order = np.argsort(-counted, kind="stable")[:most]
        return [(self.names[place], int(counted[place])) for place in order if counted[place]]
