"""LAION-Audio-630K, and anything else in its form: FLAC beside JSON, in folders or in WebDataset archives.

Form (github.com/LAION-AI/audio-dataset, data_preprocess/README.md): folders `train`, `valid` and `test` (or other
names), each with `1.flac` and `1.json`, or with archives `0.tar, 1.tar, …` of them and a `sizes.json`. The JSON has
`text` (captions), `tag` (labels) and `original_data` (whatever the source said: of Freesound `id`, `title`,
`description`, `tags`, `username` and `download_url`); where captions were made of keywords, also `text_augment_t5` and
`text_augment_all`. LAION publishes tables of links for four of its eight sources, and no sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, corpora
from openclap.data.forms import read_form
from openclap.data.problems import Problems

_MADE = ("text_augment_t5", "text_augment_all")


class Laion630k(PublishedCorpus):
    """The registered corpus "laion-630k"."""

    info = CorpusInfo(
        name="laion-630k",
        title="Sounds of Freesound, BBC and six libraries with their titles, descriptions and tags, as WebDataset",
        licence="Research only; each clip as its source has it",
        url="https://github.com/LAION-AI/audio-dataset/tree/main/laion-audio-630k",
        kind="both",
        labels="multi",
        access="by-hand",
        instructions=(
            "LAION publishes tables of links for Freesound, BBC, Epidemic Sound and Audiostock, and no sound. Put what "
            "you have into raw/train, raw/valid and raw/test: archives of N.flac and N.json (0.tar, 1.tar, …), or the "
            "files themselves. Archives are read where they lie."
        ),
        clips=633526,
        hours=4325.4,
        overlaps={
            "fsd50k": "Freesound (full) holds its clips; Freesound (no overlap) does not",
            "clotho": "Freesound (full) holds its clips; Freesound (no overlap) does not",
            "esc50": "Freesound (full) holds its clips; Freesound (no overlap) does not",
            "urbansound8k": "Freesound (full) holds its clips; Freesound (no overlap) does not",
            "wavcaps": "both are of Freesound and BBC Sound Effects",
            "sounddescs": "both are of BBC Sound Effects",
        },
        citation="Y. Wu et al., Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and "
        "Keyword-to-Caption Augmentation, ICASSP 2023",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """Anything."""
        return ("*",)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """A row for each sound, in folders or archives."""
        problems = Problems(raw)
        for found in read_form(raw, problems):
            if found.audio is None:
                continue
            said = dict(found.values)
            captions, labels = _texts(said.pop("text", None)), _texts(said.pop("tag", None))
            augmented = (text for name in _MADE for text in _texts(said.pop(name, None)))
            made = [{"text": text, "maker": "k2c", "of": labels} for text in augmented]
            source = said.pop("original_data", None)
            folder = Path(found.audio.partition(".tar::")[0]).parent.as_posix()
            split = said.pop("split", None) or (folder if folder != "." else None)
            yield {
                **said,
                "audio": found.audio,
                "captions": captions,
                "labels": labels,
                "made": made or None,
                "split": split,
                **_about(source if isinstance(source, Mapping) else {}),
                "original_data": source,
            }
        problems.raise_if_any()


corpora.add("laion-630k", Laion630k())


def _texts(value: Any) -> list[str]:
    """The texts in one, a list, or nothing."""
    items = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(item.strip() for item in items if isinstance(item, str) and item.strip()))


def _about(source: Mapping[str, Any]) -> dict[str, Any]:
    """Whose a clip is, and which clip of Freesound, as far as the source says it."""
    freesound = "freesound.org" in str(source.get("download_url", "")) and "id" in source
    return {
        "credit": source.get("username") or source.get("uploader"),
        "license": source.get("license"),
        "freesound_id": str(source["id"]) if freesound else None,
    }
