"""Overlap by ids: the same Freesound sound, or segments of one YouTube video that overlap."""

from __future__ import annotations

from collections.abc import Mapping

from openclap.data.overlap.ids import ClipId, ids_of
from openclap.data.overlap.lists import IdList
from openclap.data.overlap.search import Search


def find_by_ids(search: Search, lists: Mapping[str, IdList]) -> None:
    """Note every training clip that has an id of an evaluation clip, or of a list.

    An id that was guessed, on either side, makes a pair that is not sure.

    Args:
        search: both sides, of which the evaluation sets' clips are in the ledger.
        lists: evaluation sets known by ids alone, by name.

    Raises:
        ManifestError: if a list is broken.
    """
    names, whole_videos = search.config.names, search.config.whole_videos
    number = -1
    for number, _, clip in search.numbered("against", "ids of the evaluation sets"):
        for clip_id in ids_of(clip, names):
            search.ledger.add_id(number, clip_id)
    for name, listed in lists.items():
        for clip_id in listed:
            number += 1
            search.ledger.add_listed(number, name, clip_id)
            search.clips["against", name] += 1
    for train in search.numbered("train", "ids"):
        for own in ids_of(train.clip, names):
            for other, clip_id in search.ledger.with_id(own):
                if own.meets(clip_id, whole_videos=whole_videos):
                    search.pair(train, other, "ids", _evidence(own, clip_id), sure=own.sure and clip_id.sure)


def _evidence(own: ClipId, other: ClipId) -> dict[str, str | float | None]:
    found: dict[str, str | float | None] = {
        "space": own.space, "id": own.key, "train": own.found, "against": other.found,
    }  # fmt: skip
    if own.space == "youtube":
        found |= {"train_start_s": own.start_s, "against_start_s": other.start_s}
    return found
