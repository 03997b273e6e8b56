"""SoundDescs: BBC sound effects with the archive's own descriptions.

Layout as published (github.com/akoepke/audio-retrieval-benchmark): `data/SoundDescs/train_list.txt`, `val_list.txt` and
`test_list.txt`, an id a line; and `sounddescs_data/descriptions.pkl` and `categories.pkl`. A pickle can run whatever
its maker wants, so openclap reads none: the instructions say how to make JSON of the two. The sound is the BBC's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.readers import AUDIO_SUFFIXES
from openclap.data.tables import load_json
from openclap.errors import ManifestError

DESCRIPTIONS, CATEGORIES = "descriptions.json", "categories.json"
SPLITS = ("train", "val", "test")

_RAW = "https://raw.githubusercontent.com/akoepke/audio-retrieval-benchmark/main"


class SoundDescs(PublishedCorpus):
    """The registered corpus "sounddescs"."""

    info = CorpusInfo(
        name="sounddescs",
        title="BBC sound effects with the archive's descriptions and categories",
        licence="RemArc: not for commercial use",
        url="https://github.com/akoepke/audio-retrieval-benchmark",
        kind="both",
        labels="multi",
        access="by-hand",
        instructions=(
            "Its texts are published as pickles, which can run code and which openclap does not read. If you trust "
            "them, get sounddescs_data/descriptions.pkl and categories.pkl from the repository, and where nothing is "
            'lost if you are wrong (a container), for each of them: python -c "import json, pickle; '
            "json.dump(pickle.load(open('descriptions.pkl', 'rb')), open('descriptions.json', 'w'))\". Put the JSON "
            "files into raw/, and the sound, from sound-effects.bbcrewind.co.uk, into raw/audio as ID.wav (any format)."
        ),
        files=tuple(RemoteFile(f"{split}_list.txt", f"{_RAW}/data/SoundDescs/{split}_list.txt") for split in SPLITS),
        clips=32979,
        hours=1060.4,
        overlaps={
            "wavcaps": "both are of BBC Sound Effects",
            "laion-630k": "both are of BBC Sound Effects",
        },
        citation="A. S. Koepke et al., Audio Retrieval with Natural Language Queries: A Benchmark Study, TMM 2022",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The descriptions."""
        return (DESCRIPTIONS,)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """A row for each described sound; one that stands in no list has no split."""
        descriptions = _object(raw / DESCRIPTIONS)
        categories = _object(raw / CATEGORIES) if (raw / CATEGORIES).exists() else {}
        splits = {own: split for split in SPLITS for own in _lines(raw / f"{split}_list.txt")}
        sounds = {path.stem: path.name for path in raw.glob("audio/*") if path.suffix.lower() in AUDIO_SUFFIXES}
        for own, said in descriptions.items():
            yield {
                "id": own,
                "audio": f"audio/{sounds[own]}" if own in sounds else None,
                "captions": _texts(said),
                "labels": _texts(categories.get(own)),
                "split": splits.get(own),
            }


corpora.add("sounddescs", SoundDescs())


def _object(file: Path) -> dict[str, Any]:
    values = load_json(file)
    if not isinstance(values, dict):
        raise ManifestError(file, f"holds a {type(values).__name__}, but takes an object of ids and texts")
    return values


def _texts(said: Any) -> list[str]:
    """The texts in a text or a list of them; words of a text that was split are joined again."""
    if said is None:
        return []
    items = said if isinstance(said, list) else [said]
    return [" ".join(item) if isinstance(item, list) else str(item) for item in items if item]


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split() if file.exists() else []
