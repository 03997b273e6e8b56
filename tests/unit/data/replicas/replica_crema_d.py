"""CREMA-D as it is cloned, with one of its faulty clips and the one that is named differently."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    home = raw / "CREMA-D"
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_LO", "1040_ITH_SAD_X", "1091_WSI_NEU_XX", "1076_MTI_SAD_XX"):
        sound(home / "AudioWAV" / f"{name}.wav")
    text(
        home / "VideoDemographics.csv",
        '"ActorID","Age","Sex","Race","Ethnicity"',
        '1001,51,"Male","Caucasian","Not Hispanic"',
        '1002,21,"Female","Caucasian","Not Hispanic"',
    )
    return Expected(
        splits={"": 4},
        clips={
            "1001_DFA_ANG_XX": {"labels": ["anger"], "category": "ANG", "actor": "1001", "age": 51, "sex": "male"},
            "1002_IEO_HAP_LO": {"labels": ["happy"], "level": "low", "spoken": "IEO"},
            "1040_ITH_SAD_X": {"labels": ["sad"], "level": None},
        },
        options={"split": "none"},
    )
