"""What a written caption has to pass, and what it is judged by."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from openclap.captions.llm.config import GateConfig
from openclap.captions.llm.gates import (
    Gates,
    check_events,
    check_form,
    check_language,
    check_length,
    check_new,
    check_related,
    check_varied,
)
from openclap.captions.llm.language import is_language
from openclap.captions.llm.lexicon import audioset_labels, load_lexicon, stem
from openclap.captions.llm.store import ReplyStore
from openclap.errors import ConfigError


@pytest.fixture(scope="module")
def lexicon():
    return load_lexicon()


@pytest.fixture(scope="module")
def captions(audiocaps_captions):
    """The clips of AudioCaps' test set that have five captions each."""
    clips = defaultdict(list)
    with (audiocaps_captions / "audiocaps_test.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            clips[row["youtube_id"]].append(row["caption"])
    return [texts for texts in clips.values() if len(texts) == 5]


def test_audioset_has_its_527_classes_in_order():
    labels = audioset_labels()
    assert len(set(labels)) == 527
    assert (labels[0], labels[137], labels[526]) == ("Speech", "Music", "Field recording")


@pytest.mark.parametrize(
    ("caption", "evidence"),
    [
        ("A dog barks twice", ["Dog"]),
        ("A canine growls at the gate", ["a dog barking at the gate"]),
        ("An animal makes a noise", ["Dog"]),
        ("People are speaking over traffic", ["Speech", "Traffic noise, roadway noise"]),
        ("Someone is typing on a keyboard", ["Computer keyboard"]),
        ("A bell chimes", ["Church bell"]),
        ("Water trickles down a drain", ["Stream"]),
        ("A gentle whisper of colours unfolds", ["Whispering"]),
    ],
)
def test_what_the_evidence_names_may_be_named_in_other_words(lexicon, caption, evidence):
    assert check_events(caption, lexicon.known(evidence), lexicon) is None


@pytest.mark.parametrize(
    ("caption", "evidence", "invented"),
    [
        ("A dog barks while a siren wails", ["Dog"], "siren"),
        ("A dog barks", ["Animal"], "dog"),
        ("A man speaks over a car horn", ["Speech"], "car horn"),
        ("Rain falls and thunder rolls", ["a light rain"], "thunder"),
        ("A piano plays", ["Guitar"], "piano"),
        ("A dull thud", ["Speech"], "thud"),
    ],
)
def test_what_the_evidence_does_not_name_is_named_in_the_reason(lexicon, caption, evidence, invented):
    assert check_events(caption, lexicon.known(evidence), lexicon) == f"event without evidence: {invented}"


def test_words_for_how_things_sound_may_pass_where_things_are_to_be_described(lexicon):
    known = lexicon.known(["Dog"])
    assert check_events("A dog with a low hum and a dull thud", known, lexicon, manner=True) is None
    assert check_events("A dog with a siren", known, lexicon, manner=True) == "event without evidence: siren"


def test_a_caption_that_shares_nothing_with_what_is_known_is_about_something_else(lexicon):
    assert check_related("A quiet evening in the mountains", lexicon.known(["Dog"]), lexicon) == "about something else"
    assert check_related("A puppy is heard", lexicon.known(["Dog"]), lexicon) is None
    assert check_related("Anything may be said", lexicon.known(["the sound"]), lexicon) is None


def test_captions_that_people_wrote_of_one_clip_pass_and_those_of_others_do_not(lexicon, captions):
    """Four captions are the evidence, the fifth or another clip's is judged. People hear different things, too: a fifth
    of their captions name something that none of the four others does.
    """
    own = other = 0
    for number, texts in enumerate(captions):
        known = lexicon.known(texts[1:])
        own += check_events(texts[0], known, lexicon) is None
        other += check_events(captions[number - 1][0], known, lexicon) is None
    assert own / len(captions) > 0.75
    assert other / len(captions) < 0.15


def test_the_other_gates_let_peoples_captions_pass(captions, lexicon):
    texts = [text for group in captions for text in group]
    assert not [text for text in texts if check_form(text) or check_varied(text) or check_language(text, "en")]
    related = [check_related(group[0], lexicon.known(group[1:]), lexicon) is None for group in captions]
    assert sum(related) / len(related) > 0.98


def test_length_is_counted_in_words():
    assert check_length("A dog's half-hearted bark", 4, 4) is None
    assert check_length("A dog barks", 4, 9) == "too short"
    assert check_length("A dog barks", 1, 2) == "too long"


@pytest.mark.parametrize(
    "text",
    [
        '{"captions": []}',
        "**A dog**",
        "See https://example.org for dogs",
        "<|im_end|>",
        "123 456",
        "dog_bark.wav",
        "A dog\u202e barks",
        "A \x1b dog",
    ],
)
def test_what_is_no_prose_is_rejected(text):
    assert check_form(text) == "not plain prose"


@pytest.mark.parametrize(
    "text", ["As an AI I hear nothing", "Sure, a dog barks", "Here are captions", "The detector heard a dog"]
)
def test_talk_about_the_task_is_rejected(text):
    assert check_form(text) == "talks about the task"


def test_a_model_that_loops_is_rejected():
    assert check_varied("a dog barks a dog barks a dog barks a dog barks") == "repeats itself"
    assert check_varied("A dog barks and a cat meows and a bird sings") is None


def test_repeating_the_original_in_other_capitals_is_nothing_new():
    assert check_new("A dog barks.", ["a dog, barks"]) == "nothing new"
    assert check_new("A dog barks loudly", ["a dog barks"]) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein Hund bellt und ein Mann spricht", "de"),
        ("Un chien aboie pendant que la pluie tombe", "fr"),
        ("Un perro ladra mientras llueve en la calle", "es"),
        ("Un cane abbaia mentre la pioggia cade", "it"),
        ("Um cão ladra enquanto chove na rua e o vento", "pt"),
        ("Een hond blaft en het regent op de straat", "nl"),
        ("Собака лает под дождём", "ru"),
        ("犬が吠えている", "ja"),
        ("一只狗在叫", "zh"),
    ],
)
def test_languages_are_told_from_english(text, language):
    assert is_language(text, language)
    assert not is_language(text, "en")
    assert not is_language("A dog barks while it is raining on the street", language)


def test_one_caption_is_used_for_a_few_inputs_only_and_again_for_the_same(tmp_path):
    gates = Gates(GateConfig(most_alike=2), ReplyStore(tmp_path / "replies.sqlite"))

    def passed(key):
        return gates.sort(["A dog barks loudly"], originals=[], known=["dog"], key=key)[0]

    assert [len(passed(key)) for key in ("1", "2", "3", "1", "2")] == [1, 1, 0, 1, 1]


def test_the_users_words_count_like_our_own(tmp_path, lexicon):
    path = tmp_path / "words.txt"
    path.write_text("gamelan < music: gamelan, bonang\ndog: barky thing\n", encoding="utf-8")
    own = load_lexicon(path)
    assert check_events("A bonang is played", own.known(["Gamelan"]), own) is None
    assert check_events("A barky thing", own.known(["Dog"]), own) is None
    assert check_events("A bonang is played", own.known(["Dog"]), own) == "event without evidence: bonang"


@pytest.mark.parametrize("line", ["no colon", "dog < beast: puppy", ": dog"])
def test_a_file_of_words_that_is_wrong_says_what_a_line_is_like(tmp_path, line):
    path = tmp_path / "words.txt"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"like 'dog < animal|no line describes"):
        load_lexicon(path)


def test_many_threads_stem_as_one_does():
    words = [word + ending for label in audioset_labels() for word in label.lower().split() for ending in ("", "ings")]
    expected = {word: stem(word) for word in words}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads meet within a word
    try:
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(lambda _: {word: stem.__wrapped__(word) for word in words}, range(16))
            assert all(one == expected for one in found)
    finally:
        sys.setswitchinterval(interval)
