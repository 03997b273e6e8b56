"""AudioSet: three lines of comment, spaces after commas, quoted lists of codes; whole videos or clips as sound."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

COMMENT = (
    "# Segments csv created Sun Mar  5 10:54:25 2017",
    "# num_ytids=3, num_segs=3, num_unique_labels=2, num_positive_labels=4",
    "# YTID, start_seconds, end_seconds, positive_labels",
)


def build(raw: Path) -> Expected:
    text(
        raw / "class_labels_indices.csv",
        "index,mid,display_name",
        "0,/m/09x0r,Speech",
        '1,/m/05zppz,"Male speech, man speaking"',
        "75,/t/dd00041,Whack",
    )
    text(raw / "balanced_train_segments.csv", *COMMENT, '--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/m/05zppz"')
    text(
        raw / "unbalanced_train_segments.csv",
        *COMMENT,
        '---1_cCGK4M, 0.000, 10.000, "/t/dd00041"',
        'gone-video1, 20.000, 30.000, "/m/09x0r"',
    )
    text(raw / "eval_segments.csv", *COMMENT, 'eval_video1, 350.000, 360.000, "/m/09x0r"')
    sound(raw / "audio" / "balanced" / "Y--4gqARaEJE.wav")
    sound(raw / "audio" / "unbalanced_part00" / "---1_cCGK4M.flac")
    sound(raw / "audio" / "eval_video1_350000_360000.wav")
    return Expected(
        splits={"balanced_train": 1, "unbalanced_train": 1, "eval": 1},
        clips={
            "--4gqARaEJE": {"labels": ["Speech", "Male speech, man speaking"], "split": "balanced_train"},
            "eval_video1": {"youtube_start_s": 350.0, "mids": ["/m/09x0r"], "youtube_id": "eval_video1"},
        },
        missing=1,
    )
