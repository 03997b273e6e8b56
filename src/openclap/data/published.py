"""What published corpora need again and again: where they were unpacked, how a code reads, what a file name says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from openclap.errors import DataError, ManifestError


def readable(code: str) -> str:
    """A class name as a person would write it: "dog_bark" gives "dog bark"."""
    return " ".join(code.replace("_", " ").split())


def number(row: Mapping[str, str], column: str, table: Path) -> float:
    """The number in a cell.

    Raises:
        ManifestError: if it is none.
    """
    try:
        found = float(row[column])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        reason = f"has {row[column]!r} in the column {column}, where a number belongs: is it the published file?"
        raise ManifestError(table, reason)
    return found


def home_of(raw: Path, landmark: str) -> str:
    """The folder below `raw` in which `landmark` stands, as a relative path ("." for `raw` itself).

    Archives unpack into a folder of their own, and people unpack them one folder higher or lower: what counts is
    where the table lies. The shallowest place wins.

    Args:
        raw: the corpus's raw folder.
        landmark: a path that only the corpus's own folder has, as "meta/esc50.csv".

    Raises:
        DataError: if it is nowhere.
    """
    found = [path for path in raw.glob(f"**/{landmark}") if not _is_litter(path.relative_to(raw))]
    if not found:
        raise DataError(f"there is no {landmark} anywhere below {raw}: unpack the published archive there")
    nearest = min(found, key=lambda path: (len(path.parts), path))
    return nearest.relative_to(raw).parents[len(PurePath(landmark).parts) - 1].as_posix()


def sound_files(raw: Path, *patterns: str) -> Iterator[str]:
    """The files below `raw` that fit any of the patterns, relative to it, in order of their names.

    What macOS leaves in archives (`__MACOSX/`, `._clip.wav`) is no sound, whatever it is called.
    """
    found = {path.relative_to(raw) for pattern in patterns for path in raw.glob(pattern)}
    yield from (path.as_posix() for path in sorted(found) if not _is_litter(path))


def _is_litter(path: PurePath) -> bool:
    return any(part == "__MACOSX" or part.startswith("._") for part in path.parts)


class NamePattern:
    """A corpus that says everything in its file names: the parts of a name, or an error that shows the form.

    Args:
        pattern: a regular expression with named groups, for the whole name without its suffix.
        form: the same for a reader, as "ACTOR_SENTENCE_EMOTION_LEVEL".
    """

    def __init__(self, pattern: str, form: str) -> None:
        self._pattern, self._form = re.compile(pattern), form

    def read(self, path: str) -> dict[str, str]:
        """The parts of the name at the end of `path`.

        Raises:
            DataError: if the name has another form.
        """
        match = self._pattern.fullmatch(PurePath(path).stem)
        if match is None:
            raise DataError(f"the sound {path} is not named {self._form}, as this corpus names all of them: remove it")
        return match.groupdict()
