"""Overlap by sound: the same samples, or fingerprints that agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from openclap.data.overlap.agreement import Agreement, agreement, can_tell
from openclap.data.overlap.fingerprint import Fingerprint
from openclap.data.overlap.heard import Heard, clip_key
from openclap.data.overlap.landmark_index import LandmarkIndex
from openclap.data.overlap.ledger import Numbered, Side
from openclap.data.overlap.search import Search
from openclap.data.overlap.store import FingerprintStore

_AT_HAND = 512  # evaluation clips whose fingerprints stay in memory: some are asked for again and again


def find_by_content(search: Search, store: FingerprintStore) -> Counter[Side]:
    """How many clips of each side are too short or too plain for a fingerprint; every pair is noted.

    Of those, only exact copies are found. A clip that cannot be read is noted as such, and is in no pair.

    Args:
        search: both sides, of which the evaluation sets' clips are in the ledger.
        store: keeps what was heard.
    """
    return _Content(search, store, LandmarkIndex(store.scratch)).find()


class _Content:
    def __init__(self, search: Search, store: FingerprintStore, index: LandmarkIndex) -> None:
        self.search, self.store, self.index = search, store, index
        self.ledger = search.ledger
        self.plain: Counter[Side] = Counter()
        self.against = lru_cache(_AT_HAND)(self._against)

    def find(self) -> Counter[Side]:
        for against, heard in self._heard("against", "sound of the evaluation sets"):
            if self._usable("against", against, heard):
                self.ledger.set_key(against.number, clip_key(against.clip))
                self.index.add(against.number, heard.fingerprint)
                if heard.content:
                    self.ledger.add_content(against.number, heard.content)
        self.index.close()
        for train, heard in self._heard("train", "sound"):
            if self.search.within or self._usable("train", train, heard):
                self._look_up(train, heard)
        return self.plain

    def _heard(self, side: Side, doing: str) -> Iterator[tuple[Numbered, Heard]]:
        return self.store.hear_all(self.search.numbered(side, doing), threads=self.search.config.threads)

    def _usable(self, side: Side, clip: Numbered, heard: Heard) -> bool:
        if heard.error is not None:
            self.ledger.add_unheard("train" if self.search.within else side, clip, heard.error)
            return False
        self.plain[side] += not can_tell(heard.fingerprint)
        return True

    def _look_up(self, train: Numbered, heard: Heard) -> None:
        same = set(self.ledger.with_content(heard.content)) if heard.content else set()
        for other in same:
            self.search.pair(train, other, "content", {"same_samples": True})
        last = train.number if self.search.within else None
        for other, found in self._agreeing(heard.fingerprint, last).items():
            if other not in same:
                self.search.pair(train, other, "content", _evidence(found))

    def _agreeing(self, own: Fingerprint, last: int | None) -> dict[int, Agreement]:
        """The best agreement with each clip that there is enough of."""
        best: dict[int, Agreement] = {}
        for candidate in self.index.candidates(own, last):
            found = agreement(own, self.against(candidate.clip), candidate.shift)
            enough = found.score >= self.search.config.threshold
            if enough and (candidate.clip not in best or found.score > best[candidate.clip].score):
                best[candidate.clip] = found
        return best

    def _against(self, number: int) -> Fingerprint:
        heard = self.store.get(self.ledger.key_of(number))
        assert heard is not None, "the evaluation clips were heard and kept before they were put into the index"
        return heard.fingerprint


def _evidence(found: Agreement) -> dict[str, Any]:
    return {
        "score": round(found.score, 3),
        "share": round(found.share, 3),
        "bits": found.bits,
        "offset_s": round(found.offset_s, 2),
        "overlap_s": round(found.overlap_s, 2),
    }
