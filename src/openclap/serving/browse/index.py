"""All clips of a manifest, ready to be filtered and counted while somebody types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from openclap.data.example import Example
from openclap.serving.browse.facets import Facet, Mask
from openclap.serving.browse.filters import FLAGGED, TRIMMED, UNFLAGGED, Filters
from openclap.serving.browse.headers import Headers
from openclap.serving.browse.review import REASONS, Decision

ORIGINAL = "original"
"""The maker of captions that people wrote."""

_MOST_VALUES = 500


class ClipIndex:
    """What filters ask of every clip, laid out for asking it of all at once.

    Args:
        examples: the clips; a clip is known by its place among them.
        headers: how long they are and which cannot be read, as far as it is known.
    """

    def __init__(self, examples: Sequence[Example], headers: Headers) -> None:
        self._headers = headers
        self._places = {example.id: place for place, example in enumerate(examples)}
        self._texts = [_text(example) for example in examples]
        self._facets = {
            "split": Facet([(e.split or "",) for e in examples]),
            "source": Facet([(e.source or "",) for e in examples]),
            "label": Facet([e.labels for e in examples]),
            "maker": Facet([makers(e) for e in examples]),
        }
        self._has: dict[str, Mask] = {
            name: np.fromiter((bool(getattr(e, name)) for e in examples), dtype=bool, count=len(examples))
            for name in ("captions", "labels", "made", "negatives")
        }

    def find(self, filters: Filters, decisions: Mapping[str, Decision]) -> Int[np.ndarray, " found"]:
        """Places of the clips that fit, in the order of the manifest."""
        return np.flatnonzero(_all(self._masks(filters, decisions), len(self._texts)))

    def counts(self, filters: Filters, decisions: Mapping[str, Decision]) -> dict[str, Any]:
        """For each property its values and how many clips have each, were that property's own filter lifted."""
        masks = dict(self._masks(filters, decisions))
        n_clips = len(self._texts)

        def others(*names: str) -> Mask:
            return _all([(name, mask) for name, mask in masks.items() if name not in names], n_clips)

        found: dict[str, Any] = {name: facet.counts(others(name), _MOST_VALUES) for name, facet in self._facets.items()}
        free = others("has", "lacks")
        found["has"] = [
            (name, int(np.count_nonzero(self._having(name) & free))) for name in (*self._has, "length", "problem")
        ]
        free = others("flag")
        flags = (FLAGGED, UNFLAGGED, TRIMMED, *REASONS)
        found["flag"] = [(name, int(np.count_nonzero(self._flagged([name], decisions) & free))) for name in flags]
        return found

    def _masks(self, filters: Filters, decisions: Mapping[str, Decision]) -> Iterator[tuple[str, Mask]]:
        """Each filter that is set, and the clips that fit it; the cheap ones first."""
        for name, facet in self._facets.items():
            if wanted := getattr(filters, name):
                yield name, facet.fits(wanted)
        if filters.has:
            yield "has", np.all([self._having(name) for name in filters.has], axis=0)
        if filters.lacks:
            yield "lacks", ~np.any([self._having(name) for name in filters.lacks], axis=0)
        if filters.flag:
            yield "flag", self._flagged(filters.flag, decisions)
        seconds = self._headers.seconds  # NaN fits neither
        if filters.min_s is not None:
            yield "min_s", seconds >= filters.min_s
        if filters.max_s is not None:
            yield "max_s", seconds <= filters.max_s
        if filters.q.strip():
            yield "q", self._saying(filters.q)

    def _having(self, name: str) -> Mask:
        if name == "length":
            return np.asarray(~np.isnan(self._headers.seconds))
        if name == "problem":
            return self._headers.broken
        return self._has[name]

    def _saying(self, query: str) -> Mask:
        words = query.casefold().split()
        wanted = [word for word in words if not word.startswith("-") or word == "-"]
        unwanted = [word[1:] for word in words if word not in wanted]
        texts = self._texts
        found = list(range(len(texts)))
        for word in wanted:
            found = [place for place in found if word in texts[place]]
        for word in unwanted:
            found = [place for place in found if word not in texts[place]]
        mask = np.zeros(len(texts), dtype=bool)
        mask[found] = True
        return mask

    def _flagged(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> Mask:
        mask = np.zeros(len(self._texts), dtype=bool)
        for clip, decision in decisions.items():
            if clip in self._places:
                any_flag = FLAGGED in names and decision.flag is not None
                trimmed = TRIMMED in names and bool(decision.drop)
                mask[self._places[clip]] = decision.flag in names or any_flag or trimmed
        if UNFLAGGED in names:
            mask |= ~self._flagged([FLAGGED], decisions)
        return mask


def makers(example: Example) -> tuple[str, ...]:
    """Who made the captions of a clip: "original", and the names of stages."""
    written = (ORIGINAL,) if example.captions else ()
    return (*written, *dict.fromkeys(made.maker for made in example.made))


def _all(masks: Any, n_clips: int) -> Mask:
    fitting = np.ones(n_clips, dtype=bool)
    for _, mask in masks:
        fitting &= mask
    return fitting


def _text(example: Example) -> str:
    """All words of a clip, as they are searched."""
    made, negatives = (c.text for c in example.made), (c.text for c in example.negatives)
    return "\n".join((example.id, *example.captions, *example.labels, *made, *negatives)).casefold()
