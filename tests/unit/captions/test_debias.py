"""Women, men and kin become persons, and the sentence around them stays one."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from openclap.captions.debias.rewrite import debias, gendered_words
from openclap.captions.words import Words, word_set

EXPECTED = Path(__file__).with_name("debias_expected.json")
"""Real captions that were read one by one, before and after: id -> [first word, how many, what stands for them].

`drawn` are 200 drawn from those that say a sex, on which the rules were written. `held_out` are 200 drawn afterwards: 3
of them came out broken when they were first read. `rare` are all the others in which more happens than one noun for
another: 3 of those 191 came out broken. Since then none is. The captions stand beside the checkout.
"""

NOUNS = {
    "A man speaks": "A person speaks",
    "Two women laugh": "Two people laugh",
    "A woman's voice": "A person's voice",
    "A mans voice": "A person's voice",
    "Three ladies' voices": "Three people's voices",
    "An old gentleman talks to boys": "An old person talks to children",
    "A baby girl cries as teenage boys shout": "A baby cries as teenagers shout",
    "A mother speaks to her son": "A parent speaks to their child",
    "A policeman shouts and firemen run": "A police officer shouts and firefighters run",
    "A women is laughing": "A person is laughing",
}
ARTICLES = {
    "A male adult speaks": "An adult speaks",
    "An adult man speaks": "An adult speaks",
    "A female announcer talks": "An announcer talks",
    "An actress cries": "An actor cries",
    "An uncle talks": "A relative talks",
}
ADJECTIVES = {
    "A male voice and laughter": "A voice and laughter",
    "Female speech, then rain": "Speech, then rain",
    "Male and female voices": "Voices",
    "A male and a female voice": "Two voices",
    "A male robotic voice": "A robotic voice",
    "Gunfire with muffled male yelling": "Gunfire with muffled yelling",
    "Male yelling": "Person yelling",
    "A small girlish giggle": "A small childlike giggle",
    "A female hosts a show": "A person hosts a show",
    "Several females laugh": "Several people laugh",
}
COMPANY = {
    "A man and a woman speak": "Two people speak",
    "Man and woman talking": "Two people talking",
    "Men and women cheer": "People cheer",
    "Two men and a woman talk": "Three people talk",
    "A man, a woman and a child talk": "Two people and a child talk",
    "Men, women, and children cheer": "People and children cheer",
    "A young man and woman speak": "Two young people speak",
    "Several boys and a girl play": "Several children play",
    "The husband and wife argue": "The two spouses argue",
    "His mother and father talk": "Their parents talk",
    "A man or a woman speaks": "A person speaks",
    "A man woman speak": "Two people speak",
    "A man speaks, then a woman laughs": "A person speaks, then another person laughs",
    "A man and a boy talk": "A person and a child talk",
    "A man speaks and a man laughs": "A person speaks and a person laughs",
    "A person snores while a man talks": "A person snores while another person talks",
    "A man and an old woman": "A person and an old person",
    "A man speaks to a woman, then the man laughs": "A person speaks to another person, then the first person laughs",
    "A man and a woman talk, then the woman sings and the man hums":
        "Two people talk, then one person sings and the other person hums",
    "While a man and a woman speaks and laughs": "While two people speak and laugh",
    "A dog barks at a man and a woman speaks": "A dog barks at a person and another person speaks",
}  # fmt: skip
PRONOUNS = {
    "A woman speaks as she rubs two objects": "A person speaks as they rub two objects",
    "He has a cold and he doesn't sing": "They have a cold and they don't sing",
    "She watches TV, then she flies away": "They watch TV, then they fly away",
    "He's talking and she's been singing": "They're talking and they've been singing",
    "What is he doing": "What are they doing",
    "As he picks up a phone and dials, a dog barks": "As they pick up a phone and dial, a dog barks",
    "As she walks, opens a door and leaves": "As they walk, open a door and leave",
    "He walked while he can sing": "They walked while they can sing",
    "Her crying baby hears her crying": "Their crying baby hears them crying",
    "People talk to her softly near her": "People talk to them softly near them",
    "His radio and a radio of his": "Their radio and a radio of theirs",
    "He or she talks to himself or herself": "They talk to themselves",
    "A cat meows as he/she enters": "A cat meows as they enter",
    "A man speaks and he laughs and birds chirp": "A person speaks and they laugh and birds chirp",
}
LEFT_ALONE = (
    "Batman speaks to Lady Gaga",
    "Lady Gaga sings a song",
    "A film with Iron Man",
    "Father Christmas laughs",
    "A male frog and a mother hen",
    "Male and female frogs croak",
    "A human closes a manhole near a man-made lake",
    'A voice says "she is my mother"',
    "Ladies and gentlemen cheer",
    "Man_talking.wav",
    "Mr. Smith talks to a person",
    "Theme, mention, shepherd, romance",
)
CASES = {
    "MAN TALKING": "PERSON TALKING",
    "Man Talking To A Woman": "Person Talking To Another Person",
    "A man is heard. He coughs.": "A person is heard. They cough.",
    "A dog barks; man, laughing": "A dog barks; person, laughing",
}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [pair for table in (NOUNS, ARTICLES, ADJECTIVES, COMPANY, PRONOUNS, CASES) for pair in table.items()],
)
def test_a_caption_says_the_same_of_persons(caption: str, expected: str) -> None:
    assert debias(caption).text == expected


@pytest.mark.parametrize("caption", LEFT_ALONE)
def test_names_animals_quotations_and_other_words_are_left_alone(caption: str) -> None:
    assert debias(caption).text == caption
    assert debias(caption).edits == ()


def test_the_rule_laion_knows_woman_and_man_alone() -> None:
    assert debias("A man and an old woman as she talks", "laion").text == "A person and an old person as she talks"
    assert debias("Men talk to a boy", "laion").text == "People talk to a boy"


def test_the_words_that_say_a_sex_are_counted() -> None:
    assert gendered_words("A woman and her son, then a woman's voice; the human womb") == {
        "woman": 2,
        "her": 1,
        "son": 1,
    }
    assert gendered_words("Ladies' voices as she's speaking") == {"ladies": 1, "she's": 1}
    assert not gendered_words("A person and their child")


def real_captions(folder: Path) -> dict[str, str]:
    captions = {}
    for split in ("val", "test"):
        with (folder / f"audiocaps_{split}.csv").open(encoding="utf-8", newline="") as file:
            captions |= {row["audiocap_id"]: row["caption"] for row in csv.DictReader(file)}
    return captions


@pytest.mark.parametrize("group", ["drawn", "held_out", "rare"])
def test_real_captions_come_out_as_they_were_checked_by_hand(audiocaps_captions: Path, group: str) -> None:
    captions = real_captions(audiocaps_captions)
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[group]
    made = {id_: [[e.start, e.stop - e.start, e.text] for e in debias(captions[id_]).edits] for id_ in expected}
    assert made == expected


def test_no_real_caption_says_a_sex_any_more_and_a_second_pass_changes_nothing(audiocaps_captions: Path) -> None:
    left = []
    for caption in real_captions(audiocaps_captions).values():
        made = debias(caption)
        left += [caption] if gendered_words(made.text) else []
        assert debias(made.text).text == made.text
        assert (made.text == caption) == (not made.edits)
        assert len(Words(made.text)) > 0
    assert len(left) == 1  # one slip of the pen, "in our he background", in 7,350 captions


def test_a_heap_of_words_comes_out_as_some_text_and_never_as_an_error() -> None:
    drawing = random.Random(0)
    heap = sorted(
        word_set(
            "a the two man woman men women male female his her he she and or , . adult old boys' mother's voices "
            "speaks laugh is has then Lady Gaga both another several while ' \" - _ talking by with"
        )
    )
    for _ in range(1000):
        text = " ".join(drawing.choices(heap, k=drawing.randint(0, 12)))
        assert bool(debias(text).edits) == (debias(text).text != text)
