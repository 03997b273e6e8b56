"""The words that say a sex, and what is said instead. What is not here stays as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openclap.captions.words import word_set

Sex = Literal["m", "f"]


@dataclass(frozen=True)
class Noun:
    """What is said instead of a noun.

    Attributes:
        neutral: in the noun's own number.
        plural: whether it speaks of several.
        sex: what the noun says.
    """

    neutral: str
    plural: bool
    sex: Sex


# singular and plural of what is said instead; then the nouns that say it, singular/plural, of either sex.
_NOUNS: tuple[tuple[str, str, str, str], ...] = (
    ("person", "people", "man/men male/males guy/guys gentleman/gentlemen bloke/blokes chap/chaps dude/dudes lad/lads",
     "woman/women female/females lady/ladies gal/gals lass/lasses"),
    ("child", "children", "boy/boys", "girl/girls"),
    ("parent", "parents", "father/fathers dad/dads daddy/daddies papa/papas",
     "mother/mothers mom/moms mum/mums mommy/mommies mummy/mummies mama/mamas"),
    ("child", "children", "son/sons", "daughter/daughters"),
    ("sibling", "siblings", "brother/brothers", "sister/sisters"),
    ("spouse", "spouses", "husband/husbands", "wife/wives"),
    ("partner", "partners", "boyfriend/boyfriends", "girlfriend/girlfriends"),
    ("grandparent", "grandparents", "grandfather/grandfathers grandpa/grandpas granddad/granddads",
     "grandmother/grandmothers grandma/grandmas granny/grannies"),
    ("grandchild", "grandchildren", "grandson/grandsons", "granddaughter/granddaughters"),
    ("relative", "relatives", "uncle/uncles nephew/nephews", "aunt/aunts niece/nieces auntie/aunties"),
    ("police officer", "police officers", "policeman/policemen", "policewoman/policewomen"),
    ("firefighter", "firefighters", "fireman/firemen", "firewoman/firewomen"),
    ("business person", "business people", "businessman/businessmen", "businesswoman/businesswomen"),
    ("salesperson", "salespeople", "salesman/salesmen", "saleswoman/saleswomen"),
    ("spokesperson", "spokespeople", "spokesman/spokesmen", "spokeswoman/spokeswomen"),
    ("sportsperson", "sportspeople", "sportsman/sportsmen", "sportswoman/sportswomen"),
    ("worker", "workers", "workman/workmen", "workwoman/workwomen"),
    ("camera operator", "camera operators", "cameraman/cameramen", "camerawoman/camerawomen"),
    ("doorkeeper", "doorkeepers", "doorman/doormen", "doorwoman/doorwomen"),
    ("mail carrier", "mail carriers", "mailman/mailmen postman/postmen", "mailwoman/mailwomen postwoman/postwomen"),
    ("chairperson", "chairpersons", "chairman/chairmen", "chairwoman/chairwomen"),
    ("announcer", "announcers", "anchorman/anchormen", "anchorwoman/anchorwomen"),
    ("weather presenter", "weather presenters", "weatherman/weathermen", "weatherwoman/weatherwomen"),
    ("student", "students", "schoolboy/schoolboys", "schoolgirl/schoolgirls"),
    ("flight attendant", "flight attendants", "steward/stewards", "stewardess/stewardesses"),
    ("actor", "actors", "", "actress/actresses"),
    ("host", "hosts", "", "hostess/hostesses"),
    ("waiter", "waiters", "", "waitress/waitresses"),
    ("humankind", "humankind", "mankind", "womankind"),
)  # fmt: skip


def _nouns() -> dict[str, Noun]:
    table: dict[str, Noun] = {}
    sexes: tuple[Sex, Sex] = ("m", "f")
    for singular, plural, *columns in _NOUNS:
        for sex, column in zip(sexes, columns, strict=True):
            for pair in column.split():
                one, _, many = pair.partition("/")
                table[one] = Noun(singular, plural=False, sex=sex)
                if many:
                    table[many] = Noun(plural, plural=True, sex=sex)
    return table


NOUNS = _nouns()

PLURALS = {singular: plural for singular, plural, *_ in _NOUNS}
"""Plurals of what is said instead."""

PRONOUNS = word_set("he she him her his hers himself herself he's she's he'll she'll he'd she'd")

ADJECTIVES = {
    "feminine": "",
    "masculine": "",
    "manly": "",
    "womanly": "",
    "girlish": "childlike",
    "boyish": "childlike",
}
"""Adjectives that say a sex; an empty one is left out before its noun."""

PERSONS = {
    "adult": "adults", "baby": "babies", "infant": "infants", "toddler": "toddlers", "child": "children", "kid": "kids",
    "teenager": "teenagers", "teen": "teens", "preteen": "preteens", "human": "humans", "person": "people",
    "student": "students", "speaker": "speakers", "singer": "singers", "announcer": "announcers",
    "narrator": "narrators", "reporter": "reporters",
    "commentator": "commentators", "presenter": "presenters", "newscaster": "newscasters",
    "broadcaster": "broadcasters", "vocalist": "vocalists", "rapper": "rappers", "officer": "officers",
    "teacher": "teachers", "doctor": "doctors", "crowd": "crowds", "group": "groups", "choir": "choirs",
    "chorus": "choruses", "audience": "audiences", "robot": "robots", "computer": "computers",
}  # fmt: skip
"""Persons of no sex, with their plurals: "a female announcer" is an announcer, and "an adult male" an adult."""

AGES = {"teenage": "teenager", "teenaged": "teenager", "teen": "teen", "preteen": "preteen", "adult": "adult",
        "infant": "infant", "baby": "baby", "toddler": "toddler", "human": "human", "school": "student"}  # fmt: skip
"""Words before "boy" or "female" that name a person alone."""

VOICES = {
    "voice": "voices", "vocal": "vocals", "speech": "", "laughter": "", "chatter": "", "narration": "",
    "commentary": "", "dialogue": "dialogues", "conversation": "conversations", "response": "responses",
}  # fmt: skip
"""What a person is heard by, with plurals; "a male voice" is a voice."""

CRIES = word_set(
    "laugh scream shout yell cry cough sneeze sigh whisper grunt moan gasp giggle chuckle shriek groan snore burp "
    "belch sob wail whimper growl sniff sniffle hum whistle"
)
"""Cries that are nouns where an "s" would make them verbs: "a male laugh" is a laugh."""

ANIMALS = word_set(
    "animal ant ape bear bee bird bug bull calf camel canary cardinal cat cheetah chick chicken chimpanzee cicada "
    "cow cricket crow cub deer dog dolphin donkey dove duck elephant elk finch fish fly fox frog goat goose "
    "gorilla gull hawk hen hog horse insect kangaroo kitten koala lamb leopard lion mammal monkey moose mosquito "
    "mouse mule owl panda parrot peacock penguin pig pigeon puppy rabbit rat reindeer robin rooster seal sheep "
    "sloth sparrow spider squirrel swan tiger toad turkey walrus whale wolf"
)
"""A male frog is no person, and stays male."""

FIXED: tuple[tuple[str, ...], ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "ladies and gentlemen", "boy scout", "boy scouts", "girl scout", "girl scouts", "boy band", "boy bands",
        "girl band", "girl group", "mother nature", "mother earth", "mother tongue", "mother ship", "father christmas",
        "father time", "lady gaga", "lady luck", "man's best friend", "men's room", "ladies' room", "women's room",
        "guy wire", "guy wires", "guy rope", "man cave", "isle of man", "oh boy", "oh man", "family guy",
    )
)  # fmt: skip
"""Fixed phrases that are left alone: in them the words mean something else, or are called out."""

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
