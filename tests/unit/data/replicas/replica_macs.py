"""MACS: one YAML of files and annotations, and the sound as TAU Urban Acoustic Scenes 2019 unpacks."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

HOME = "TAU-urban-acoustic-scenes-2019-development"


def build(raw: Path) -> Expected:
    text(
        raw / "MACS.yaml",
        "files:",
        "- filename: airport-barcelona-0-0-a.wav",
        "  annotations:",
        "  - annotator_id: 62",
        "    sentence: people talking and a child laughing",
        "    tags: [adults_talking, footsteps]",
        "  - annotator_id: 7",
        "    sentence: 'a hall, with steps'",
        "    tags: [footsteps]",
        "- filename: park-prague-1-2-a.wav",
        "  annotations:",
        "  - annotator_id: 1",
        "    sentence: birds",
        "    tags: []",
    )
    text(
        raw / HOME / "meta.csv",
        "filename\tscene_label\tidentifier\tsource_label",
        "audio/airport-barcelona-0-0-a.wav\tairport\tbarcelona-0\ta",
        "audio/park-prague-1-2-a.wav\tpublic_square\tprague-1\ta",
    )
    sound(raw / HOME / "audio" / "airport-barcelona-0-0-a.wav", rate_hz=48000)
    return Expected(
        splits={"": 1},
        clips={
            "airport-barcelona-0-0-a.wav": {
                "captions": ["people talking and a child laughing", "a hall, with steps"],
                "labels": ["adults talking", "footsteps"],
                "scene": "airport",
                "annotators": [62, 7],
            }
        },
        missing=1,
    )
