"""Whether a caption is in a language: by its letters, and by the small words that no sentence can do without.

A rule, and no model: captions are short, of one domain, and mostly English, and a gate must say the same on every
machine. Languages that share the Latin letters are told apart by which of their commonest words occur; the others by
their letters alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from openclap.errors import ConfigError

# The commonest words of each language, without those that mean something in English ("die", "in", "an", "on", "no").
_SMALL_WORDS = {
    "en": "a an the and is are was of in on with by at as to then while from it its his her their there some into over "
    "off out up down near before after followed someone something this that or for being be can",
    "de": "der das ein eine einen einem einer und ist sind mit von zu auf wird im dem den des nicht sich wie während "
    "dann aus bei über jemand",
    "fr": "le la les un une des et est sont avec dans sur du par au aux qui pendant puis dans pas en ce se plus",
    "es": "el la los las un una y es son con de del que se por para mientras luego hay al su lo",
    "it": "il lo la gli le un una uno e è sono con di del della che si per mentre poi nel da",
    "pt": "o os as um uma e é são com de do da que se por para enquanto depois no na ao",
    "nl": "de het een en is zijn met van op wordt te dat die er naar terwijl dan uit bij",
}
_LETTERS = {
    "ru": ("CYRILLIC",), "uk": ("CYRILLIC",), "el": ("GREEK",), "ar": ("ARABIC",), "fa": ("ARABIC",),
    "he": ("HEBREW",), "hi": ("DEVANAGARI",), "th": ("THAI",), "ko": ("HANGUL",), "zh": ("CJK",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
}  # fmt: skip
_NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "ru": "Russian", "uk": "Ukrainian", "el": "Greek", "ar": "Arabic", "fa": "Persian", "he": "Hebrew",
    "hi": "Hindi", "th": "Thai", "ko": "Korean", "zh": "Chinese", "ja": "Japanese", "any": "English",
}  # fmt: skip


def is_language(text: str, language: str) -> bool:
    """Whether a text is in a language, as far as letters and small words tell; a text without small words may be.

    Args:
        text: a caption.
        language: a code that `language_name` knows.
    """
    if language == "any":
        return True
    letters = Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in text if char.isalpha())
    own = sum(letters[script] for script in _LETTERS.get(language, ("LATIN",)))
    if own < 0.9 * letters.total():
        return False
    if language not in _SMALL_WORDS:
        return True
    words = set(re.findall(r"[^\W\d_]+", text.lower()))
    shares = {code: len(words & small) for code, small in _SETS.items()}
    return shares[language] >= max(shares.values())


def language_name(code: str) -> str:
    """A language's English name, for a prompt.

    Raises:
        ConfigError: for a code that is not known; says which are.
    """
    if code not in _NAMES:
        raise ConfigError(f"gates.language {code!r} is none of {', '.join(_NAMES)}")
    return _NAMES[code]


_SETS = {code: frozenset(words.split()) for code, words in _SMALL_WORDS.items()}
