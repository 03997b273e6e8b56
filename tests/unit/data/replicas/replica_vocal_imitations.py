"""Vocal Imitation Set: a table whose first column has no name, and file names with spaces."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

COLUMNS = (
    "", "imitation_id", "imitation_filename", "category_id", "category_d1", "category_d2", "category_d3", "category_d4",
    "category_d5", "category_d6", "reference_filename", "included", "draft", "training", "participant_id",
    "satisfaction", "participants_sound_recording_description", "participants_sound_recording_description_confidence",
)  # fmt: skip
GROWLING = "000Animal_Domestic animals_ pets_Cat_Growling"
LINES = (
    (
        f"0\t0\t{GROWLING}-4808870065078272.wav\t0\tAnimal\tDomestic animals, pets\tCat\tGrowling\t\t\t"
        f"{GROWLING}_reference.wav\tTrue\tFalse\tFalse\t5734240000000000.0\tCompletely satisfied\tmy best\tConfident"
    ),
    (
        f"2\t2\t{GROWLING}-4904330813505536.wav\t0\tAnimal\tDomestic animals, pets\tCat\tGrowling\t\t\t"
        f"{GROWLING}_reference.wav\tFalse\tTrue\tFalse\t6286100000000000.0\t\t\t"
    ),
    (
        "99\t99\t150Music_Drum-5012345678901248.wav\t150\tMusic\tDrum\t\t\t\t\t150Music_Drum_reference.wav\tTrue\tFalse\t"
        "False\t4875300000000000.0\tNeutral\ta drum\tNeutral"
    ),
)


def build(raw: Path) -> Expected:
    home = raw / "VocalImitationSet"
    text(home / "vocal_imitations.txt", "\t".join(COLUMNS), *LINES)
    sound(home / "vocal_imitations" / "included" / f"{GROWLING}-4808870065078272.wav")
    sound(home / "vocal_imitations" / "excluded" / f"{GROWLING}-4904330813505536.wav")
    return Expected(
        splits={"": 1},
        clips={
            f"{GROWLING}-4808870065078272": {
                "labels": ["Growling"],
                "categories": ["Animal", "Domestic animals, pets", "Cat", "Growling"],
                "reference": GROWLING,
                "participant": "5734240000000000",
            }
        },
        missing=1,
    )
