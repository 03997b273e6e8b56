"""RAVDESS: 24 actors who say, and 23 who sing, two sentences in eight (six) emotions at two intensities.

Layout as published (zenodo.org/record/1188976): two archives of `Actor_NN/MODALITY-CHANNEL-EMOTION-INTENSITY-STATEMENT-
REPETITION-ACTOR.wav`, all of it two-digit numbers: 1,440 of speech, 1,012 of song. Actor 18 did not sing; there is no
strong "neutral", and no sung "disgust" or "surprised". Odd actors are men. No split is published. Copies from elsewhere
hold everything twice, in `Actor_NN/` and in `audio_speech_actors_01-24/Actor_NN/`: each clip counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import NamePattern, sound_files

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
CHANNELS = {"speech": "01", "song": "02"}
INTENSITIES = {"01": "normal", "02": "strong"}

_URL = "https://zenodo.org/records/1188976/files"
_ARCHIVES = {
    "speech": RemoteFile(
        "Audio_Speech_Actors_01-24.zip",
        f"{_URL}/Audio_Speech_Actors_01-24.zip",
        bytes=208468073,
        md5="bc696df654c87fed845eb13823edef8a",
        unpack="zip",
        into="speech",
    ),
    "song": RemoteFile(
        "Audio_Song_Actors_01-24.zip",
        f"{_URL}/Audio_Song_Actors_01-24.zip",
        bytes=225505317,
        md5="5411230427d67a21e18aa4d466e6d1b9",
        unpack="zip",
        into="song",
    ),
}
_NAMES = NamePattern(
    r"03-(?P<channel>01|02)-(?P<emotion>0[1-8])-(?P<intensity>01|02)-(?P<statement>01|02)-(?P<repetition>01|02)-"
    r"(?P<actor>\d{2})",
    "03-CHANNEL-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR",
)


class RavdessConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        channels: "speech" is what the field means by RAVDESS; "song" can be had beside it.
    """

    channels: tuple[Literal["speech", "song"], ...] = ("speech",)


class Ravdess(PublishedCorpus):
    """The registered corpus "ravdess"."""

    info = CorpusInfo(
        name="ravdess",
        title="1,440 spoken (and 1,012 sung) sentences in eight acted emotions by 24 actors",
        licence="CC BY-NC-SA 4.0",
        url="https://zenodo.org/records/1188976",
        kind="labels",
        labels="single",
        access="download",
        files=(_ARCHIVES["speech"],),
        clips=1440,
        hours=1.48,
        classes={"labels": tuple(EMOTIONS.values())},
        citation="S. R. Livingstone, F. A. Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, "
        "PLoS ONE 2018",
    )
    config = RavdessConfig

    def needs(self, config: RavdessConfig) -> Sequence[str]:
        """Sound of each channel."""
        return tuple(f"**/03-{CHANNELS[channel]}-*.wav" for channel in config.channels)

    def files(self, config: RavdessConfig) -> Iterable[RemoteFile]:
        """The archives of the wanted channels."""
        return (_ARCHIVES[channel] for channel in config.channels)

    def rows(self, raw: Path, config: RavdessConfig) -> Iterator[dict[str, Any]]:
        """The clips, each once."""
        seen: set[str] = set()
        for path in sound_files(raw, *self.needs(config)):
            own, name = PurePosixPath(path).stem, _NAMES.read(path)
            if own in seen:
                continue
            seen.add(own)
            yield {
                "id": own,
                "audio": path,
                "labels": [EMOTIONS[name["emotion"]]],
                "emotion_code": name["emotion"],
                "channel": next(channel for channel, code in CHANNELS.items() if code == name["channel"]),
                "intensity": INTENSITIES[name["intensity"]],
                "statement": int(name["statement"]),
                "repetition": int(name["repetition"]),
                "actor": int(name["actor"]),
                "sex": "male" if int(name["actor"]) % 2 else "female",
            }


corpora.add("ravdess", Ravdess())
