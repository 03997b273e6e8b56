"""What a written caption has to pass. Each gate is a function of the text that gives a reason to reject it, or None."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from openclap.captions.llm.config import GateConfig
from openclap.captions.llm.language import is_language
from openclap.captions.llm.lexicon import Known, Lexicon, load_lexicon, words_of
from openclap.captions.llm.store import ReplyStore
from openclap.captions.stage import Rejected


def check_form(text: str) -> str | None:
    """Whether it is plain prose about a sound: no markup, code, address, hidden character, or talk about the task."""
    if _MARKUP.search(text) or not text.isprintable() or not any(char.isalpha() for char in text):
        return "not plain prose"
    return "talks about the task" if _TASK.search(text) else None


def check_varied(text: str) -> str | None:
    """Whether most words come once: a model that has lost itself says the same over and over."""
    words = words_of(text.lower())
    return "repeats itself" if len(words) >= 4 and len(set(words)) <= 0.4 * len(words) else None


def check_length(text: str, fewest: int, most: int) -> str | None:
    """Whether it has so many words."""
    count = len(words_of(text))
    if count < fewest:
        return "too short"
    return "too long" if count > most else None


def check_language(text: str, language: str) -> str | None:
    """Whether it is in the language that was asked for."""
    return None if is_language(text, language) else "in another language"


def check_new(text: str, others: Iterable[str]) -> str | None:
    """Whether it says more than capitals and punctuation that the others do not."""
    return "nothing new" if same_words(text) in {same_words(other) for other in others} else None


def check_events(text: str, known: Known, lexicon: Lexicon, *, manner: bool = False) -> str | None:
    """Whether it names only sound events that are known of the clip; the reason names the first other one.

    Args:
        text: the caption.
        known: what is known.
        lexicon: words for sound events.
        manner: let words pass that say how something sounds ("a low hum", "a dull thud").
    """
    unfounded = lexicon.unfounded(text, known, manner=manner)
    return f"event without evidence: {unfounded[0]}" if unfounded else None


def check_related(text: str, known: Known, lexicon: Lexicon) -> str | None:
    """Whether it has anything to do with what is known; where nothing is, nothing can be asked of it."""
    if not lexicon.says_something(known) or lexicon.related(text, known):
        return None
    return "about something else"


def same_words(text: str) -> str:
    """A text in lower case without punctuation: what two captions are compared by."""
    return " ".join(re.findall(r"\w+", text.lower()))


class Gates:
    """All gates that are switched on, in the order of what they cost.

    Args:
        config: which, and how narrow.
        store: where it is kept for how many inputs a caption was written.

    Raises:
        ConfigError: if the user's synonyms cannot be read.
    """

    def __init__(self, config: GateConfig, store: ReplyStore) -> None:
        self._config, self._store = config, store
        self._lexicon = load_lexicon(config.synonyms) if config.events or config.related else None

    def sort(
        self, written: Sequence[str], *, originals: Sequence[str], known: Sequence[str], key: str
    ) -> tuple[list[str], list[Rejected]]:
        """The captions that pass, and the others with the reason of the first gate that they fail.

        Args:
            written: by the model, for one clip.
            originals: the clip's captions, which a written one must not repeat.
            known: all texts of which something is known about the clip.
            key: what stands for the input.
        """
        passed: list[str] = []
        rejected: list[Rejected] = []
        entitled = self._lexicon.known(known) if self._lexicon else None
        for text in written:
            reason = self._reason(text, [*originals, *passed], entitled) or self._repeated(text, key)
            if reason is None:
                passed.append(text)
            else:
                rejected.append(Rejected(text[:_MOST_SHOWN], reason))
        return passed, rejected

    def _reason(self, text: str, others: Sequence[str], known: Known | None) -> str | None:
        config = self._config
        reason = (
            check_form(text)
            or check_varied(text)
            or check_length(text, config.min_words, config.max_words)
            or check_language(text, config.language)
            or check_new(text, others)
        )
        if reason or self._lexicon is None or known is None:
            return reason
        if config.events:
            reason = check_events(text, known, self._lexicon, manner=config.manner)
        if config.related:
            reason = reason or check_related(text, known, self._lexicon)
        return reason

    def _repeated(self, text: str, key: str) -> str | None:
        most = self._config.most_alike
        digest = hashlib.sha256(same_words(text).encode(errors="replace")).digest()[:16]
        return None if not most or self._store.may_write(digest, key, most) else "the same for too many clips"


_MOST_SHOWN = 500
_MARKUP = re.compile(r"[{}<>|\\`*#\[\]^~]|https?:|www\.|__|\n|\.(?:wav|mp3|ogg|flac|aiff?)\b", re.IGNORECASE)
_TASK = re.compile(
    r"\bsure[,!]|\b(as an ai|language model|i cannot|i can't|i'm sorry|i am sorry|i apologi[sz]e|here (?:is|are)|json|"
    r"(?:the|these|your|all|previous|above) instructions|(?:system|previous|the) prompt|"
    r"the (?:captions?|labels?|tagger|metadata)|(?:events?|sounds?) detected|detector (?:heard|found|reports)|"
    r"(?:confidence|low|high) scores?)\b",
    re.IGNORECASE,
)
