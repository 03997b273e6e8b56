"""Titles as people give them to recordings, which often are the names of files."""

from __future__ import annotations

import re


def clean_title(title: str) -> str:
    """The words in a title that is a file name; any other title as it is.

    A file name ends in an audio suffix, or has underscores and no spaces. The suffix goes, with the dates and take
    numbers at both ends; underscores become spaces, and where there were no spaces, so do dots, hyphens and the joints
    of CamelCase. A title of which no letter would be left stays whole.
    """
    name = _SUFFIX.sub("", title)
    if name == title and (" " in title or "_" not in title):
        return title
    if " " not in name:
        name = _JOINT.sub(" ", re.sub(r"[.-]", " ", name))
    words = " ".join(name.replace("_", " ").split())
    words = _LAST_NUMBER.sub("", _FIRST_NUMBERS.sub("", words))
    return words if any(letter.isalpha() for letter in words) else title


_SUFFIX = re.compile(r"\.(wav|wave|aiff?|aifc|flac|mp3|ogg|oga|opus|m4a|mp4|wma|caf|au)$", re.IGNORECASE)
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FIRST_NUMBERS = re.compile(r"^((0\d*|\d{4,})[\s,-]+)+")  # 01, 20110503; but not the 3 of "3 dogs"
_LAST_NUMBER = re.compile(r"([\s,#-]+(v|take)?\s*\d+|\d+)$", re.IGNORECASE)
