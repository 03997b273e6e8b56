"""Forms of English verbs, as far as captions of sounds need them: "speaks" is "speak" after "they"."""

from __future__ import annotations

import re

from openclap.captions.words import word_set

_VERBS = """
accelerate accompany achieve act add adjust aim amplify announce answer appear applaud approach argue arrive ask
attempt babble bang bark bash be beat beatbox beep begin belch bellow blare blast bleat blow boil boom bounce bowl
break breathe brush bubble build burble burp bustle buzz cackle call carry carve caw change chant chat chatter cheer
chew chime chip chirp chirrup chop chuckle clack clang clank clap clatter clean clear click climb clink clip close
cluck coax cock comment commentate communicate compete complain conduct consume continue converse coo cook correspond
cough count cover crack crackle crank crash crawl creak creep crinkle croak croon crow crumple crunch crush cry curse
cut dance deal debate declare decrease deliver describe dial die dig direct disappear discuss dissipate do drag drain
draw drill drink drip drive drone drop drum dump eat echo emit emulate end engage enter erupt exchange exclaim
exercise exhale exit explain explode express fade fall fan fart fiddle fidget fight fill find finish fire fix fizz
flap flick flip float flow flush flutter fly fold follow forge fry gag gallop gasp gather get giggle give go grate
grind grip groan grow growl grumble grunt gurgle hammer handle happen have hear hiccup hiss hit hold holler honk hoot
hover howl hum hurry idle imitate increase inhale insert instruct intensify interact interrupt interview introduce
jangle jingle join joke jump keep kick kiss knock lament land laugh lead leave lecture lift light listen load lower
maintain make march meow mimic mix moan monologue moo motion move muffle mumble munch murmur mutter narrate neigh
occur oink open operate order pack pant park pass pat patter pause perform pet pick pipe pitter place play pluck
plunge point pop pound pour practice praise pray preach prepare present press proceed produce pronounce propose
protest pull pump punch push put quack quarrel question quiet race rap rattle reach react read rearrange receive
recite record reel release remark repeat reply report resonate respond resume return rev reverberate ride ring rinse
rip rise roar rock roll row rub rumble run rush rustle sail sand saw say scold scoop scour scrape scratch scream
screech scrub scuff scuttle search set sew shake sharpen shave shift shoot shout shovel show shower shriek shrill
shuffle shut sigh sing sip sit sizzle skate slam slap slide slosh slow slurp smack smash snap sneeze snicker sniff
sniffle snip snore snort sob sound speak speed spin splash splatter split spray spring sprinkle sputter squawk squeak
squeal squeeze stand start steer step stir stomp stop strike strum stutter suck surf sway sweep swim swing swish
swoosh take talk tap teach tear tease tell thank think throw thrum thud thump tick tickle ticktock tie toll toot toss
touch train travel trickle trill trot try tune turn twang tweet twitter type unfold unwrap unzip use utter vacuum
vibrate vocalize wade wail wait walk warble wash watch weep weld whack wheeze whimper whine whinny whip whir whirl
whirr whisper whistle whoop whoosh wiggle wind wipe work wrap write yawn yell yelp yip yodel zap zip zoom
"""
_SINGULAR = {"is": "are", "was": "were", "has": "have", "does": "do"}
_SINGULAR |= {f"{verb}n't": f"{plural}n't" for verb, plural in _SINGULAR.items()}
_PLURAL = {plural: singular for singular, plural in _SINGULAR.items()}
_ES = ("sses", "shes", "ches", "xes", "zzes", "oes")


def plural_form(verb: str) -> str:
    """A verb as it stands after "they": "speaks" → "speak", "flies" → "fly", "is" → "are"; others stay as they are."""
    if verb in _SINGULAR:
        return _SINGULAR[verb]
    if not verb.endswith("s") or verb.endswith(("ss", "'s")) or len(verb) < 4:
        return verb
    if verb.endswith("ies"):
        return verb[:-1] if len(verb) == 4 else f"{verb[:-3]}y"  # dies, lies and ties; cries and flies
    if verb.endswith(_ES) and verb != "aches":
        return verb[:-2]
    return verb[:-1]


def singular_form(verb: str) -> str:
    """A verb as it stands after "it": "speak" → "speaks", "fly" → "flies", "are" → "is"."""
    if verb in _PLURAL:
        return _PLURAL[verb]
    if verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        return f"{verb[:-1]}ies"
    hisses = verb.endswith(("s", "sh", "ch", "x", "z")) or (verb.endswith("o") and not verb.endswith("oo"))
    return f"{verb}es" if hisses else f"{verb}s"


def participle(verb: str) -> str:
    """The form in -ing of a verb's base: "speak" → "speaking", "run" → "running", "die" → "dying"."""
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1]}ing" if _DOUBLED.fullmatch(verb) else f"{verb}ing"


_DOUBLED = re.compile(r"[^aeiou]*(?:[aeiou]|qui|ui)[bdfgklmnprtv]|begin|unzip|unwrap|propel")

VERBS = word_set(_VERBS)
"""Base forms of the verbs that captions of sounds are made with."""

SINGULAR_VERBS = frozenset({singular_form(verb) for verb in VERBS} - {"bes"}) | set(_SINGULAR)
"""Their forms after "it", with "is", "was", "has" and "does". Many are plural nouns too: "barks", "honks"."""

ADVERBS = word_set(
    "again also aloud almost already alternately alike always away even first finally just loud louder low maybe "
    "merely never next nearby now often once only out quite quiet quieter rather seldom simply sometimes soon "
    "still suddenly then together too twice very well"
)
"""Adverbs that do not end in -ly."""


def is_adverb(word: str) -> bool:
    """Whether a word is an adverb that may stand between a subject and its verb."""
    return word in ADVERBS or (word.endswith("ly") and len(word) > 4 and word not in {"family", "assembly", "belly"})
