"""He and she become they, and the verbs that go with them lose their "s"."""

from __future__ import annotations

from openclap.captions.debias.lexicon import PRONOUNS
from openclap.captions.verbs import SINGULAR_VERBS, is_adverb, plural_form
from openclap.captions.words import Edit, Words, word_set

_ALWAYS = {"him": "them", "hers": "theirs", "himself": "themselves", "herself": "themselves",
           "he'll": "they'll", "she'll": "they'll", "he'd": "they'd", "she'd": "they'd"}  # fmt: skip
_AUXILIARIES = frozenset({"is", "was", "has", "does", "isn't", "wasn't", "hasn't", "doesn't"})
_HAVE = frozenset({"been", "got", "had", "done", "gone", "begun", "become", "started", "stopped", "finished"})
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

    def put(index: int, text: str) -> None:
        if text != words.at(index):
            edits.setdefault(index, Edit(index, index + 1, text))

    for i, word in enumerate(words.lower):
        if word not in PRONOUNS or not words.is_plain(i):
            continue
        other = words.at(i + 2)
        if words.at(i + 1) == "or" and other in PRONOUNS and words.joined(i, i + 2):
            continue  # "he or she": the second one speaks for both
        start = i - 2 if words.at(i - 1) == "or" and words.at(i - 2) in PRONOUNS and words.joined(i - 2, i) else i
        if word in {"he", "she"}:
            if _has_verb(words, i):
                edits[start] = Edit(start, i + 1, "they")
                for verb in _verbs_of(words, i):
                    put(verb, plural_form(words.at(verb)))
        elif word in {"he's", "she's"}:
            edits[start] = Edit(
                start, i + 1, "they've" if words.at(_past_adverbs(words, i + 1)) in _HAVE else "they're"
            )
        elif word in {"her", "his"}:
            before_noun = _before_noun(words, i)
            alone = "them" if word == "her" else "theirs"
            edits[start] = Edit(start, i + 1, "their" if before_noun else alone)
        else:
            edits[start] = Edit(start, i + 1, _ALWAYS[word])
    return list(edits.values())


def _has_verb(words: Words, i: int) -> bool:
    """Whether this is a subject at all, and no slip of the pen as in "in the he background"."""
    return words.at(i - 1) not in {"a", "an", "the", "our", "its", "their"}


def _verbs_of(words: Words, i: int) -> list[int]:
    """Where the verbs stand that agree with the "he" or "she" at `i`."""
    if (
        words.at(i - 1) in _AUXILIARIES
        and words.joined(i - 1, i)
        and words.at(i - 2) in {"", "what", "where", "why", "how"}
    ):
        return [i - 1]  # a question: "what is he doing"
    first = _past_adverbs(words, i + 1)
    return verbs_from(words, first) if words.joined(i, first) else []


def verbs_from(words: Words, first: int) -> list[int]:
    """Where the verbs of one subject stand, of which the first is known."""
    found = [first]
    # "as he picks up a phone and dials": a verb right after a joint has the same subject, until another one comes in.
    for at in range(first + 1, len(words)):
        word = words.at(at)
        if word in _CLAUSE or words.starts_sentence(at):
            break
        if word not in SINGULAR_VERBS or is_adverb(word):
            continue
        before = at - 1
        while is_adverb(words.at(before)) and words.at(before) != "then":
            before -= 1
        following = words.at(at + 1)
        if words.at(before) not in _JOINTS or following in {"are", "is", "can", "were", "was"}:
            break
        found.append(at)
    return found


def _past_adverbs(words: Words, at: int) -> int:
    while is_adverb(words.at(at)):
        at += 1
    return at


def _before_noun(words: Words, i: int) -> bool:
    """Whether "her" or "his" owns what follows: "her voice", "her crying baby"; not "with her", "her crying"."""
    following = _past_adverbs(words, i + 1)
    if not words.joined(i, following) or words.at(following) in _NO_NOUN:
        return False
    if words.at(i) == "her" and words.at(following).endswith("ing") and len(words.at(following)) > 4:
        owned = following + 1
        return words.joined(following, owned) and words.at(owned) not in _NO_NOUN and not is_adverb(words.at(owned))
    return True
