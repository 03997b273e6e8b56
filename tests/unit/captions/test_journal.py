"""What is in the journal is found again, whenever the process died."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openclap.captions.journal import Entry, Journal, clip_key
from openclap.captions.stage import Made, Rejected
from openclap.data.example import Example, MadeCaption, NegativeCaption

CLIP = Example("a", Path("a.wav"), captions=("one",), labels=("dog",), extra={"stars": 3})
MADE = Made(
    captions=(MadeCaption("A dög", "k2c", of=("dog",), details={"score": 0.5}),),
    negatives=(NegativeCaption("no dog", "order", "one", "negatives"),),
    rejected=(Rejected("dog dog dog", "repeats itself"),),
)


def keys(count: int) -> list[str]:
    return [clip_key(replace(CLIP, id=str(number))) for number in range(count)]


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        assert journal.find(clip_key(CLIP)) is None
        journal.add([Entry(clip_key(CLIP), CLIP.id, MADE)])
    with Journal(tmp_path / "j") as journal:
        assert journal.find(clip_key(CLIP)) == MADE


@pytest.mark.parametrize("order", [1, -1])
def test_any_order_finds_them(tmp_path: Path, order: int) -> None:
    known = keys(20)
    with Journal(tmp_path / "j") as journal:
        journal.add(Entry(key, "x", Made(rejected=(Rejected(key, "r"),))) for key in known)
    with Journal(tmp_path / "j") as journal:
        for key in known[::order]:
            assert journal.find(key) == Made(rejected=(Rejected(key, "r"),))
            assert journal.find(clip_key(replace(CLIP, id="unknown"))) is None


def test_a_journal_cut_off_at_any_byte_keeps_all_whole_lines(tmp_path: Path) -> None:
    known = keys(3)
    with Journal(tmp_path / "whole") as journal:
        journal.add(Entry(key, "x", MADE) for key in known)
    text = (tmp_path / "whole").read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == ord("\n")]
    for cut in range(0, len(text) + 1, 7):
        (tmp_path / "cut").write_bytes(text[:cut])
        with Journal(tmp_path / "cut") as journal:
            whole = sum(end <= cut for end in ends)
            assert len(journal) == whole
            assert [journal.find(key) == MADE for key in known] == [place < whole for place in range(3)]
            journal.add([Entry(known[2], "x", MADE)])
        with Journal(tmp_path / "cut") as journal:
            assert journal.find(known[2]) == MADE, "a new line does not go on with a torn one"


def test_a_reader_changes_nothing_of_what_another_process_writes(tmp_path: Path) -> None:
    known = keys(2)
    with Journal(tmp_path / "j") as journal:
        journal.add(Entry(key, "x", MADE) for key in known)
    torn = (tmp_path / "j").read_bytes()[:-9]
    (tmp_path / "j").write_bytes(torn)
    with Journal(tmp_path / "j", only_read=True) as journal:
        assert [journal.find(key) is not None for key in known] == [True, False]
        with pytest.raises(ValueError, match="open for reading only"):
            journal.add([])
    assert (tmp_path / "j").read_bytes() == torn


def test_a_line_that_a_disk_has_spoilt_is_made_anew(tmp_path: Path) -> None:
    known = keys(3)
    with Journal(tmp_path / "j") as journal:
        journal.add(Entry(key, "x", MADE) for key in known)
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j").write_bytes(lines[0] + lines[1][:60] + b"\x00\xff" + lines[1][62:] + b"\n\n{}\n" + lines[2])
    with Journal(tmp_path / "j") as journal:
        assert [journal.find(key) is not None for key in known] == [True, False, True]


def test_what_was_made_anew_for_a_spoilt_line_is_found(tmp_path: Path) -> None:
    known = keys(2)
    with Journal(tmp_path / "j") as journal:
        journal.add(Entry(key, "x", MADE) for key in known)
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j").write_bytes(lines[0] + lines[1][:60] + b"\x00" + lines[1][61:])
    with Journal(tmp_path / "j") as journal:
        journal.add([Entry(known[1], "x", MADE)])
    with Journal(tmp_path / "j") as journal:
        assert [journal.find(key) for key in known] == [MADE, MADE]


def test_of_two_results_for_a_clip_either_is_one(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.add([Entry(clip_key(CLIP), "a", MADE), Entry(clip_key(CLIP), "a", Made())])
    with Journal(tmp_path / "j") as journal:
        assert journal.find(clip_key(CLIP)) == Made()


def test_a_key_is_of_all_that_a_stage_may_look_at() -> None:
    same = [replace(CLIP, audio=Path("moved/a.wav")), replace(CLIP, split="test", fold=3, license="CC0", credit="me")]
    others = [
        replace(CLIP, id="b"),
        replace(CLIP, captions=("two",)),
        replace(CLIP, labels=()),
        replace(CLIP, start_s=1.0),
        replace(CLIP, duration_s=1.0),
        replace(CLIP, made=(MadeCaption("A dog", "k2c"),)),
        replace(CLIP, negatives=(NegativeCaption("no", "order", "one", "x"),)),
        replace(CLIP, extra={"stars": 4}),
    ]
    assert {clip_key(clip) for clip in same} == {clip_key(CLIP)}
    assert len({clip_key(clip) for clip in [CLIP, *others]}) == 1 + len(others)
