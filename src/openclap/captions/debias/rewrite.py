"""De-biasing of a caption: women, men and kin become persons, and all that hangs on them follows.

LAION-CLAP (arXiv 2211.06687, section 3.5) puts "person" for "woman" and "man" in the captions that its language model
made: the rule "laion". The rule "full" is ours: all nouns that say a sex, pronouns with the verbs that agree with them,
articles, possessives and plurals, and persons whom only their sex told apart stay apart. A person's age stays ("boy" is
"child"), and so do names, quotations, animals and fixed phrases.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from openclap.captions.debias.lexicon import ADJECTIVES, NOUNS, PRONOUNS
from openclap.captions.debias.people import people_edits
from openclap.captions.debias.pronouns import pronoun_edits
from openclap.captions.words import Edit, Words

Rule = Literal["laion", "full"]

_LAION = {"man": "person", "woman": "person", "men": "people", "women": "people"}


@dataclass(frozen=True)
class Debiased:
    """A caption without sexes.

    Attributes:
        text: the caption; the same as it was where nothing had to change.
        edits: which words became what.
    """

    text: str
    edits: tuple[Edit, ...]


def debias(caption: str, rule: Rule = "full") -> Debiased:
    """The caption with persons for women, men and kin.

    Args:
        caption: a sentence or a title. In file names ("Man_talking.wav") nothing changes: make words of them first
            (`openclap.text.titles.clean_title`).
        rule: "full", or "laion" for woman and man alone.
    """
    words = Words(caption)
    if not any(_is_gendered(word) for word in words.lower):
        return Debiased(caption, ())
    if rule == "laion":
        edits = [Edit(i, i + 1, _LAION[word]) for i, word in enumerate(words.lower) if word in _LAION]
    else:
        edits = _apart([*people_edits(words), *pronoun_edits(words)])
    return Debiased(words.edited(edits), tuple(edits))


def gendered_words(caption: str) -> Counter[str]:
    """How often each word that says a sex stands in a caption, names and animals included."""
    words = (word for word in Words(caption).lower if _is_gendered(word))
    return Counter(word if word in PRONOUNS else word.removesuffix("'s").removesuffix("'") for word in words)


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits in order, without those that touch a word twice: of a heap of words, not every one has its grammar."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if not kept or edit.start >= kept[-1].stop:
            kept.append(edit)
    return kept


def _is_gendered(word: str) -> bool:
    return word in PRONOUNS or word.removesuffix("'s").removesuffix("'") in _SEXED


_SEXED = frozenset(NOUNS) | frozenset(ADJECTIVES) | {"mans", "womans"}
