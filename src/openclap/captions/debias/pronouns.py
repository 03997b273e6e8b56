"""He and she become they, and the verbs that go with them lose their "s"."""

from __future__ import annotations

from openclap.captions.debias.lexicon import PRONOUNS
from openclap.captions.verbs import SINGULAR_VERBS, is_adverb, plural_form
from openclap.captions.words import Edit, Words, word_set

_OTHERS = {
    "he": "they", "she": "they", "him": "them", "hers": "theirs", "himself": "themselves", "herself": "themselves",
    "he'll": "they'll", "she'll": "they'll", "he'd": "they'd", "she'd": "they'd",
}  # fmt: skip
_AUXILIARIES = frozenset({"is", "are", "was", "were", "has", "have", "does", "do", "can", "will"})
_HAVE = frozenset({"been", "got", "had", "done", "gone", "begun", "become", "started", "stopped", "finished"})
_QUESTION = frozenset({"", "what", "where", "why", "how", "who"})
_NO_SUBJECT = frozenset({"a", "an", "the", "our", "its", "their"})
"""Words after which a pronoun is a slip of the pen: "in the he background"."""
_CLAUSE = word_set("while as when whilst before after because that which who whose since until till if where")
_JOINTS = frozenset({"and", "or", "but", "then"})
_NO_NOUN = _CLAUSE | word_set(
    "and or but then to in on at by with from over under through into onto about for of off up down out near "
    "along around behind beside against across followed accompanied the a an this that these those is are was "
    "were"
)


def pronoun_edits(words: Words) -> list[Edit]:
    """The edits that make every "he" and "she" a "they", verbs included; a name stays, and so does a quotation."""
    edits: dict[int, Edit] = {}
    for i, word in enumerate(words.lower):
        is_pronoun = word in PRONOUNS and words.is_plain(i) and words.at(i - 1) not in _NO_SUBJECT
        if not is_pronoun or _alternative(words, i, 1) is not None:
            continue  # of "he or she" and "his/her" the second one speaks for both
        first = _alternative(words, i, -1)
        start = i if first is None else first
        edits[start] = Edit(start, i + 1, _plural(words, i))
        for at in _verbs_of(words, i) if word in {"he", "she"} else ():
            if plural_form(words.at(at)) != words.at(at):
                edits[at] = Edit(at, at + 1, plural_form(words.at(at)))
    return list(edits.values())


def verbs_from(words: Words, first: int) -> list[int]:
    """Where the verbs of one subject stand, of which the first is known.

    "As he picks up a phone and dials": a verb right after a joint has the same subject, until another one comes in. So
    have the verbs of a list that ends in such a one: "as he walks, opens a door and leaves".
    """
    found, in_list = [first], list[int]()
    for at in range(first + 1, len(words)):
        if words.at(at) in _CLAUSE or words.starts_sentence(at):
            break
        if words.at(at) not in SINGULAR_VERBS or is_adverb(words.at(at)):
            continue
        before = at - 1
        while is_adverb(words.at(before)) and words.at(before) != "then":
            before -= 1
        is_subject = words.joined(at, at + 1) and words.at(at + 1) in _AUXILIARIES  # "and laughs are heard"
        if is_subject or not (words.at(before) in _JOINTS or "," in words.gaps[at]):
            break
        if words.at(before) in _JOINTS:
            found += [*in_list, at]
            in_list = []
        else:
            in_list.append(at)
    return found


def _plural(words: Words, i: int) -> str:
    """The form of "they" for the pronoun at `i`."""
    word = words.at(i)
    if word in {"he's", "she's"}:
        return "they've" if words.at(_past_adverbs(words, i + 1)) in _HAVE else "they're"
    if word in {"her", "his"}:
        alone = "them" if word == "her" else "theirs"
        return "their" if _before_noun(words, i) else alone
    return _OTHERS[word]


def _alternative(words: Words, i: int, step: int) -> int | None:
    """Where the other pronoun of "he or she" or "he/she" stands, before (`step` -1) or after the one at `i`."""
    for at in (i + step, i + 2 * step):
        low, high = min(i, at), max(i, at)
        by_word = high - low == 2 and words.at(low + 1) == "or" and words.joined(low, high)
        if words.at(at) in PRONOUNS and (by_word or (high - low == 1 and words.gaps[high] == "/")):
            return at
    return None


def _verbs_of(words: Words, i: int) -> list[int]:
    """Where the verbs stand that agree with the "he" or "she" at `i`."""
    if words.joined(i - 1, i) and words.at(i - 1) in _AUXILIARIES and words.at(i - 2) in _QUESTION:
        return [i - 1]  # "what is he doing"
    first = _past_adverbs(words, i + 1)
    return verbs_from(words, first) if words.joined(i, first) else []


def _past_adverbs(words: Words, at: int) -> int:
    while is_adverb(words.at(at)):
        at += 1
    return at


def _before_noun(words: Words, i: int) -> bool:
    """Whether "her" or "his" owns what follows: "her voice", "her crying baby"; not "with her", "her crying"."""
    following = _past_adverbs(words, i + 1)
    if not words.joined(i, following) or words.at(following) in _NO_NOUN:
        return False
    if words.at(i - 1) == "of" and words.at(i) == "his" and words.at(following) in SINGULAR_VERBS:
        return False  # "a radio of his plays"
    if words.at(i) == "her" and words.at(following).endswith("ing") and len(words.at(following)) > 4:
        owned = following + 1
        return words.joined(following, owned) and words.at(owned) not in _NO_NOUN and not is_adverb(words.at(owned))
    return True
