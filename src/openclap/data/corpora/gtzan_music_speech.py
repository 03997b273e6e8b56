"""GTZAN music/speech: 64 excerpts of music and 64 of speech, 30 s each.

Layout as published: `music_speech/music_wav/NAME.wav` and `music_speech/speech_wav/NAME.wav`. Some descriptions count
120: there are 128. No split is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, corpora
from openclap.data.published import sound_files

FOLDERS = {"music_wav": "music", "speech_wav": "speech"}


class GtzanMusicSpeech(PublishedCorpus):
    """The registered corpus "gtzan-music-speech"."""

    info = CorpusInfo(
        name="gtzan-music-speech",
        title="128 excerpts of 30 s: half music, half speech",
        licence="none stated; commercial recordings, used for research",
        url="http://marsyas.info/downloads/datasets.html",
        kind="labels",
        labels="single",
        access="by-hand",
        instructions="Its server (opihi.cs.uvic.ca/sound/music_speech.tar.gz) is mostly off; a copy is "
        "https://www.kaggle.com/datasets/lnicalo/gtzan-musicspeech-collection. Unpack it below raw/, so that there are "
        "folders music_wav and speech_wav.",
        clips=128,
        hours=1.07,
        classes={"labels": tuple(FOLDERS.values())},
        citation="G. Tzanetakis, GTZAN Music/Speech Collection, 1999",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """Sound of both kinds."""
        return tuple(f"**/{folder}/*.wav" for folder in FOLDERS)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """The excerpts, music first."""
        for path in sound_files(raw, *self.needs(config)):
            label = FOLDERS[PurePosixPath(path).parent.name]
            yield {"id": f"{label}/{PurePosixPath(path).stem}", "audio": path, "labels": [label]}


corpora.add("gtzan-music-speech", GtzanMusicSpeech())
