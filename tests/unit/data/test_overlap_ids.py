"""Ids are taken from where they are said to be, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclap.data.example import Example
from openclap.data.overlap.ids import ClipId, ids_of
from openclap.data.overlap.lists import IdList
from openclap.errors import ConfigError, ManifestError


def clip(name: str = "a.wav", **fields: object) -> Example:
    return Example(name, Path(name), **fields)  # type: ignore[arg-type]


def keys(example: Example, *names: str) -> list[tuple[str, str, bool]]:
    return [(found.space, found.key, found.sure) for found in ids_of(example, names)]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"freesound_id": 17}, ("freesound", "17", True)),
        ({"freesound_id": "0017"}, ("freesound", "17", True)),
        ({"freesound_id": 17.0}, ("freesound", "17", True)),
        ({"fsID": "100032"}, ("freesound", "100032", True)),
        ({"YTID": "--PJHxphWEs"}, ("youtube", "--PJHxphWEs", True)),
    ],
)
def test_a_column_that_is_named_after_an_id_holds_one(extra, expected):
    assert keys(clip(extra=extra)) == [expected]


def test_what_is_no_id_in_such_a_column_is_none():
    assert keys(clip(extra={"freesound_id": "Not found", "youtube_id": "x", "sound_id": 5})) == []


def test_a_youtube_id_comes_with_its_segment():
    (found,) = ids_of(clip(extra={"youtube_id": "abcdefghijk", "youtube_start_s": 30, "youtube_end_s": "40.0"}))
    assert (found.start_s, found.end_s) == (30.0, 40.0)


@pytest.mark.parametrize(
    ("text", "space", "key"),
    [
        ("nfrae http://www.freesound.org/people/nfrae/sounds/100032/", "freesound", "100032"),
        ("https://freesound.org/s/4711", "freesound", "4711"),
        ("https://www.youtube.com/watch?v=7fmOlUlwoNg", "youtube", "7fmOlUlwoNg"),
        ("https://www.youtube.com/watch?t=3&v=7fmOlUlwoNg&x=1", "youtube", "7fmOlUlwoNg"),
        ("see https://youtu.be/7fmOlUlwoNg?t=3", "youtube", "7fmOlUlwoNg"),
    ],
)
def test_a_link_says_whose_id_it_holds(text, space, key):
    assert keys(clip(credit=text)) == [(space, key, True)]
    assert keys(clip(extra={"href": text})) == [(space, key, True)]


def test_links_elsewhere_and_in_captions_say_nothing():
    assert keys(clip(credit="https://freesound.org/people/nfrae/", extra={"see": "https://x.org/s/17"})) == []
    assert keys(clip(captions=("https://freesound.org/s/17",))) == []


@pytest.mark.parametrize(
    ("name", "corpus", "key", "segment"),
    [
        ("1-100032-A-0.wav", "esc50", "100032", (None, None)),
        ("100263-2-0-117.wav", "urbansound8k", "100263", (None, None)),
        ("Y-1Ab5WN6gUY_30.000_40.000.wav", "audioset", "-1Ab5WN6gUY", (30.0, 40.0)),
        ("Yb0RFKhbpFJA.flac", "audioset", "b0RFKhbpFJA", (None, None)),
        ("b0RFKhbpFJA_000030.flac", "vggsound", "b0RFKhbpFJA", (30.0, None)),
    ],
)
def test_a_name_in_a_corpus_s_form_is_an_id_if_it_is_said_to_be_and_else_a_guess(name, corpus, key, segment):
    (guessed,) = ids_of(clip(name))
    assert (guessed.key, guessed.sure) == (key, False)
    for found in (*ids_of(clip(name), [corpus]), *ids_of(clip(name, source=corpus))):
        assert (found.key, found.sure, (found.start_s, found.end_s)) == (key, True, segment)


def test_a_number_for_a_name_is_not_even_a_guess_until_it_is_said_to_be_an_id():
    assert keys(clip("64760.wav")) == []
    assert keys(clip("64760.wav"), "fsd50k") == [("freesound", "64760", True)]


def segment(start_s: float | None = None, end_s: float | None = None, space: str = "youtube") -> ClipId:
    return ClipId(space, "abcdefghijk", "", start_s, end_s)


def test_segments_of_one_video_meet_where_they_overlap():
    assert segment(30, 40).meets(segment(35, 45))
    assert not segment(30, 40).meets(segment(40, 50))
    assert segment(30, 40).meets(segment(40, 50), whole_videos=True)


def test_a_segment_whose_end_is_not_said_is_ten_seconds_long():
    assert segment(30).meets(segment(39.5))
    assert not segment(30).meets(segment(40))


def test_a_segment_that_may_be_anywhere_meets_all_of_the_video():
    assert segment().meets(segment(30, 40))
    assert segment(30, 40).meets(segment())


def test_clips_of_one_freesound_sound_always_meet():
    assert segment(0, 1, "freesound").meets(segment(5, 6, "freesound"))


def test_a_list_holds_an_id_a_line(tmp_path):
    path = tmp_path / "clotho.txt"
    path.write_text("# evaluation\n17\n\n0018\n")
    found = list(IdList.parse(f"freesound={path}"))
    assert [(one.key, one.found) for one in found] == [("17", "line 2"), ("18", "line 4")]


def test_a_list_of_a_line_each_must_say_whose_ids_they_are(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("17\n")
    with pytest.raises(ManifestError, match="whose ids"):
        list(IdList.parse(str(path)))


def test_a_line_that_is_no_id_is_an_error_with_its_number(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("17\ndog.wav\n")
    with pytest.raises(ManifestError, match=r"ids.txt:2: 'dog.wav' is no freesound id"):
        list(IdList.parse(f"freesound={path}"))


def test_audioset_s_own_tables_are_lists(tmp_path):
    path = tmp_path / "eval_segments.csv"
    path.write_text(
        "# Segments csv created\n# num_ytids=1, num_segs=1\n# YTID, start_seconds, end_seconds, positive_labels\n"
        '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n'
    )
    (found,) = IdList.parse(str(path))
    assert (found.space, found.key, found.start_s, found.end_s) == ("youtube", "--4gqARaEJE", 0.0, 10.0)


def test_a_column_is_named_where_its_name_does_not_say_whose_ids_it_holds(tmp_path):
    path = tmp_path / "clotho_metadata_evaluation.csv"
    path.write_text("file_name,keywords,sound_id\nrain.wav,rain;wet,17\nlost.wav,wind,Not found\n")
    assert [one.key for one in IdList.parse(f"freesound={path}#sound_id")] == ["17"]
    with pytest.raises(ManifestError, match="does not say whose"):
        list(IdList.parse(f"{path}#sound_id"))
    with pytest.raises(ManifestError, match="no column"):
        list(IdList.parse(str(path)))
    with pytest.raises(ManifestError, match="'sound_ids'; did you mean 'sound_id'"):
        list(IdList.parse(f"freesound={path}#sound_ids"))


def test_a_list_in_which_no_id_is_found_is_an_error_and_not_an_empty_set(tmp_path):
    (tmp_path / "a.csv").write_text("file_name,sound_id\nrain.wav,17\n")
    with pytest.raises(ManifestError, match="no id in its column 'file_name'"):
        list(IdList.parse(f"freesound={tmp_path / 'a.csv'}#file_name"))
    (tmp_path / "a.txt").write_text("# nothing yet\n")
    with pytest.raises(ManifestError, match="holds no id"):
        list(IdList.parse(f"youtube={tmp_path / 'a.txt'}"))


def test_a_list_that_is_not_there_is_an_error():
    with pytest.raises(ManifestError, match="cannot be read"):
        list(IdList.parse("freesound=nowhere.txt"))
    with pytest.raises(ConfigError, match="SPACE"):
        IdList.parse("")


def test_the_captions_of_audiocaps_are_a_list_of_its_clips(audiocaps_captions):
    found = list(IdList.parse(str(audiocaps_captions / "audiocaps_test.csv")))
    assert len({(one.key, one.start_s) for one in found}) > 900
    assert all(one.start_s is not None for one in found)
