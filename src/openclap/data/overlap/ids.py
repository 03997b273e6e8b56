"""Where a clip was taken from: its Freesound or YouTube ids, as far as its manifest really says them.

An id comes from
    a column   freesound_id (or UrbanSound8K's fsID); youtube_id (or AudioSet's YTID) with youtube_start_s and
               youtube_end_s (or AudioSet's start_seconds and end_seconds, AudioCaps' start_time)
    a link     to freesound.org or youtube.com in any other text that is no caption, as in a credit
    a name     of the file, in a form that a corpus is known to use (`NAME_FORMS`), where the clip's `source` is that
               corpus or the caller says that such names are meant

A name that merely looks like one of the forms gives an id that is not `sure`: it may be told, and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from openclap.audio.members import member_of
from openclap.data.example import Example

SPACES = ("freesound", "youtube")
"""Whose ids they are."""

SEGMENT_S = 10.0
"""How long a YouTube clip is whose end is not said: AudioSet, AudioCaps and VGGSound cut ten seconds."""


@dataclass(frozen=True)
class ClipId:
    """One id of one clip.

    Attributes:
        space: whose id it is, of `SPACES`.
        key: the id, as that site writes it.
        found: where it was found, for people.
        start_s: where in the recording the clip begins; None if that is not known.
        end_s: where it ends.
        sure: whether it was said to be such an id, and not guessed.
    """

    space: str
    key: str
    found: str
    start_s: float | None = None
    end_s: float | None = None
    sure: bool = True

    def meets(self, other: ClipId, *, whole_videos: bool = False) -> bool:
        """Whether two clips with the same id share sound, as far as is known.

        All clips of one Freesound sound do. Two segments of one video do if they overlap, and if it is not known where
        one of them begins.

        Args:
            other: an id of another clip, with the same space and key.
            whole_videos: take any two segments of a video for the same.
        """
        if self.space != "youtube" or whole_videos or self.start_s is None or other.start_s is None:
            return True
        return self.start_s < other._end_s(other.start_s) and other.start_s < self._end_s(self.start_s)

    def _end_s(self, start_s: float) -> float:
        return start_s + SEGMENT_S if self.end_s is None else self.end_s


@dataclass(frozen=True)
class NameForm:
    """How a corpus names its files.

    Attributes:
        space: whose ids are in the names.
        form: of a whole name without its suffix; groups `key` and perhaps `start` and `end`, in seconds.
        telling: whether hardly any other file has such a name, so that one is worth a guess.
    """

    space: str
    form: re.Pattern[str]
    telling: bool


_VIDEO = r"(?P<key>[\w-]{11})"

NAME_FORMS: Mapping[str, NameForm] = {
    # fold-CLIP-take-target; ESC-10 copies leave the target out
    "esc50": NameForm("freesound", re.compile(r"[1-5]-(?P<key>\d+)-[A-Z](-\d{1,2})?"), telling=True),
    "fsd50k": NameForm("freesound", re.compile(r"(?P<key>\d+)"), telling=False),
    # fsID-classID-occurrenceID-sliceID
    "urbansound8k": NameForm("freesound", re.compile(r"(?P<key>\d+)-\d-\d+-\d+"), telling=True),
    # WavCaps: Y and the id; DCASE 2017 task 4: with the seconds too
    "audioset": NameForm("youtube", re.compile(rf"Y{_VIDEO}(_(?P<start>\d+\.\d+)_(?P<end>\d+\.\d+))?"), telling=True),
    "vggsound": NameForm("youtube", re.compile(rf"{_VIDEO}_(?P<start>\d{{6}})"), telling=True),
}
"""Corpora whose files are named after ids, by name."""

_ALSO = {"esc10": "esc50", "dcase17task4": "audioset", "audiocaps": "audioset", "wavcapsaudioset": "audioset"}
_COLUMNS = {"freesound": ("freesound_id", "fsid"), "youtube": ("youtube_id", "ytid")}
_STARTS = ("youtube_start_s", "start_seconds", "start_time")
_ENDS = ("youtube_end_s", "end_seconds", "end_time")
_KEYS = {"freesound": re.compile(r"\d+"), "youtube": re.compile(r"[\w-]{11}")}
_LINKS = {
    "freesound": re.compile(r"freesound\.org/(?:people/[^/\s]+/sounds|s)/(\d+)"),
    "youtube": re.compile(r"(?:youtu\.be/|youtube\.com/(?:watch\?(?:\S*?&)?v=|embed/))([\w-]{11})(?![\w-])"),
}


def ids_of(example: Example, names: Collection[str] = ()) -> list[ClipId]:
    """The ids of a clip, the sure ones first, each once.

    Args:
        example: the clip.
        names: forms of `NAME_FORMS` that file names are meant to have.
    """
    found: dict[tuple[str, str], ClipId] = {}
    for clip_id in (*_in_columns(example.extra), *_in_links(example), *_in_name(example, names)):
        found.setdefault((clip_id.space, clip_id.key), clip_id)
    return sorted(found.values(), key=lambda clip_id: not clip_id.sure)


def as_key(space: str, value: Any) -> str | None:
    """A value as an id of that space, or None if it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with gaps comes as 123.0
    text = str(value).strip()
    if not _KEYS[space].fullmatch(text):
        return None
    return str(int(text)) if space == "freesound" else text


def columns_of(space: str) -> tuple[str, ...]:
    """Names, in lower case, of columns that hold ids of that space."""
    return _COLUMNS[space]


def segment_of(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Start and end in the recording, of a row with column names in lower case; None for what it does not say."""
    start_s, end_s = (next((row[name] for name in names if name in row), None) for names in (_STARTS, _ENDS))
    return _seconds(start_s), _seconds(end_s)


def _in_columns(extra: Mapping[str, Any]) -> Iterator[ClipId]:
    row = {name.strip().casefold(): value for name, value in extra.items()}
    for space, columns in _COLUMNS.items():
        for column in columns:
            if (key := as_key(space, row.get(column))) is not None:
                start_s, end_s = segment_of(row) if space == "youtube" else (None, None)
                yield ClipId(space, key, f"column {column}", start_s, end_s)


def _in_links(example: Example) -> Iterator[ClipId]:
    for name, text in (("credit", example.credit), *example.extra.items()):
        if isinstance(text, str) and "/" in text:
            for space, link in _LINKS.items():
                for key in link.findall(text):
                    yield ClipId(space, key, f"link in {name}")


def _in_name(example: Example, names: Collection[str]) -> Iterator[ClipId]:
    stem, source = _stem(example), re.sub(r"[\W_]", "", example.source or "").casefold()
    for name, form in NAME_FORMS.items():
        sure = name in names or name in (source, _ALSO.get(source))
        if (sure or form.telling) and (match := form.form.fullmatch(stem)):
            part = match.groupdict()
            start_s, end_s = _seconds(part.get("start")), _seconds(part.get("end"))
            yield ClipId(form.space, part["key"], f"file name as in {name}", start_s, end_s, sure)


def _stem(example: Example) -> str:
    """The name of the clip's file; in our shards, where files have numbers, of the one that it was made of."""
    original = example.extra.get("original")
    name = original.get("audio") if isinstance(original, Mapping) and member_of(example.audio) is not None else None
    return PurePath(name).stem if isinstance(name, str) else example.audio.stem


def _seconds(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
