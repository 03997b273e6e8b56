"""DCASE 2017 task 4: no header, a line a label, ids that begin with a hyphen and labels with commas."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    text(
        raw / "groundtruth_weak_label_training_set.csv",
        "--4gqARaEJE_0.000_10.000.wav\t0.000\t10.000\tCar",
        "-0RWZT-miFs_420.000_430.000.wav\t420.000\t430.000\tCar passing by",
        "-0RWZT-miFs_420.000_430.000.wav\t420.000\t430.000\tTruck",
    )
    text(
        raw / "groundtruth_weak_label_testing_set.csv",
        "-Gbohom8C4Q_30.000_40.000.wav\t30.000\t40.000\tTrain horn",
        "-jj2tyuf6-A_80.000_90.000.wav\t80.000\t90.000\tTrain horn",
        "-Gbohom8C4Q_30.000_40.000.wav\t30.000\t40.000\tAir horn, truck horn",
    )
    text(
        raw / "groundtruth_weak_label_evaluation_set.csv",
        "3S2-TODd__k_90.000_100.000.wav\t90.000\t100.000\tFire engine, fire truck (siren)",
    )
    sound(raw / "training" / "Y--4gqARaEJE_0.000_10.000.wav", rate_hz=44100)
    sound(raw / "training" / "Y-0RWZT-miFs_420.000_430.000.flac", rate_hz=44100)
    sound(raw / "testing" / "Y-Gbohom8C4Q_30.000_40.000.wav", rate_hz=44100)
    sound(raw / "evaluation" / "Y3S2-TODd__k_90.000_100.000.wav", rate_hz=44100)
    return Expected(
        splits={"train": 2, "test": 1, "evaluation": 1},
        clips={
            "-0RWZT-miFs_420.000_430.000": {"labels": ["Car passing by", "Truck"], "split": "train"},
            "-Gbohom8C4Q_30.000_40.000": {
                "labels": ["Train horn", "Air horn, truck horn"],
                "split": "test",
                "youtube_id": "-Gbohom8C4Q",
                "youtube_start_s": 30.0,
                "youtube_end_s": 40.0,
                "start_s": 0.0,
            },
            "3S2-TODd__k_90.000_100.000": {"youtube_id": "3S2-TODd__k", "split": "evaluation"},
        },
        missing=1,
    )
