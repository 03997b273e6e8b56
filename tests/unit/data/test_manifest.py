"""Every form of manifest gives the same examples, and what is wrong is said with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openclap.data.columns import ColumnConfig
from openclap.data.example import Example
from openclap.data.manifest import Manifest, read_manifest, write_manifest
from openclap.errors import ConfigError, ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sounds (as far as a manifest can tell)."""
    (tmp_path / "a").mkdir()
    for name in ("a/dog.wav", "a/rain.ogg"):
        (tmp_path / name).write_bytes(b"sound")
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(path: Path, *objects: object) -> Path:
    path.write_text("".join(json.dumps(o) + "\n" for o in objects), encoding="utf-8")
    return path


def test_csv_tsv_jsonl_and_parquet_say_the_same(folder: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = [
        {"path": "a/dog.wav", "caption": "A dog, barking", "tags": ["dog", "animal"], "split": "train", "fold": 1},
        {"path": "a/rain.ogg", "caption": None, "tags": ["rain"], "split": "test", "fold": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(table), folder / "m.parquet")
    forms = [
        folder / "m.parquet",
        rows(folder / "m.jsonl", *table),
        write(
            folder,
            "m.csv",
            'path,caption,tags,split,fold\na/dog.wav,"A dog, barking",dog|animal,train,1\na/rain.ogg,,rain,test,\n',
        ),
        write(
            folder,
            "m.tsv",
            "path\tcaption\ttags\tsplit\tfold\n"
            'a/dog.wav\tA dog, barking\t["dog", "animal"]\ttrain\t1\n'
            "a/rain.ogg\t\train\ttest\t\n",
        ),
    ]
    dog, rain = read_manifest(forms[0]).examples
    assert dog == Example("a/dog.wav", folder / "a/dog.wav", ("A dog, barking",), ("dog", "animal"), "train", 1)
    assert rain.labels == ("rain",)
    assert rain.captions == ()
    assert rain.fold is None
    assert len({read_manifest(form).digest for form in forms}) == 1


def test_several_captions_come_from_a_list_from_numbered_columns_and_from_repeated_rows(folder: Path) -> None:
    listed = rows(folder / "1.jsonl", {"file_name": "a/dog.wav", "text": ["one", "two", "three"]})
    numbered = write(folder, "2.csv", "file_name,caption_1,caption_10,caption_2\na/dog.wav,one,three,two\n")
    repeated = write(
        folder, "3.csv", "audiocap_id,audio,caption\n1,a/dog.wav,one\n2,a/dog.wav,two\n3,a/../a/dog.wav,three\n"
    )
    for path in (listed, numbered, repeated):
        (example,) = read_manifest(path).examples
        assert example.captions == ("one", "two", "three")


def test_the_first_synonym_that_a_row_has_wins_and_the_rest_is_kept(folder: Path) -> None:
    path = rows(
        folder / "m.jsonl",
        {"Path": "a/dog.wav", "title": "dog.wav", "caption": "a dog barks", "seconds": 5.0},
        {"Path": "a/rain.ogg", "title": "rain.wav"},
    )
    dog, rain = read_manifest(path)
    assert dog.captions == ("a dog barks",)
    assert dog.extra == {"title": "dog.wav", "seconds": 5.0}
    assert rain.captions == ("rain.wav",)


def test_columns_that_are_named_win_over_synonyms(folder: Path) -> None:
    path = write(folder, "m.csv", "clip,path,title,en,de\na/dog.wav,nowhere,x,a dog,ein Hund\n")
    (example,) = read_manifest(path, columns=ColumnConfig(audio="clip", captions=("en", "de"), labels="title"))
    assert example.captions == ("a dog", "ein Hund")
    assert example.labels == ("x",)
    assert example.extra == {"path": "nowhere"}


def test_a_named_column_that_is_not_there_is_an_error_with_the_nearest(folder: Path) -> None:
    path = write(folder, "m.csv", "path,description_en\na/dog.wav,a dog\n")
    with pytest.raises(ManifestError, match=r"columns\.captions \(--column .*'descripton_en'.*mean 'description_en'"):
        read_manifest(path, columns=ColumnConfig(captions="descripton_en"))


def test_time_ranges_of_one_file_are_clips_of_their_own(folder: Path) -> None:
    path = write(
        folder, "m.csv", "path,start,end,caption\na/dog.wav,0,5,bark\na/dog.wav,5,8.5,growl\na/dog.wav,5,8.5,snarl\n"
    )
    bark, growl = read_manifest(path)
    assert (bark.id, bark.start_s, bark.duration_s) == ("a/dog.wav#t=0,5", 0.0, 5.0)
    assert (growl.id, growl.start_s, growl.duration_s) == ("a/dog.wav#t=5,8.5", 5.0, 3.5)
    assert growl.captions == ("growl", "snarl")


def test_a_duration_without_a_start_is_the_file_s_own_and_no_range(folder: Path) -> None:
    path = write(folder, "m.csv", "path,duration,caption\na/dog.wav,5.01,bark\n")
    (example,) = read_manifest(path)
    assert example.duration_s is None
    assert example.extra == {"duration": "5.01"}


def test_one_sound_in_two_splits_stays_two_examples_for_the_check_to_find(folder: Path) -> None:
    path = write(folder, "m.csv", "path,split,caption\na/dog.wav,train,bark\na/dog.wav,test,bark\n")
    assert [(e.id, e.split) for e in read_manifest(path)] == [("a/dog.wav", "train"), ("a/dog.wav#2", "test")]


def test_the_first_several_problems_are_shown_together_with_their_lines(folder: Path) -> None:
    path = write(
        folder,
        "m.jsonl",
        '{"path": "a/dog.wav", "fold": "one"}\n'
        "\n"
        '{"path": "a/dog.wav", \n'
        "[1]\n"
        '{"path": ""}\n'
        '{"path": "a/rain.ogg", "caption": 3}\n',
    )
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    text = str(caught.value)
    assert caught.value.line == 1
    assert f"{path}:1: fold takes a number, but holds 'one'" in text
    assert re.search(r"line 3: is not JSON \([^():]*, at character 2\d\)\n", text)  # behind the end of the row
    assert "line 4: holds a list" in text
    assert "line 5: path takes the path of an audio file, but is empty" in text
    assert "line 6: caption takes text or a list of texts, but holds 3" in text


def test_more_problems_than_are_shown_are_counted(folder: Path) -> None:
    path = write(folder, "m.csv", "path,caption\n" + "".join(f"{n}.wav,x\n" for n in range(20)))
    with pytest.raises(ManifestError, match=r"m.csv:2: there is no audio file(?s:.*)and 12 more problems"):
        read_manifest(path)


def test_a_comma_in_a_caption_without_quotes_is_found(folder: Path) -> None:
    path = write(folder, "m.csv", 'path,caption\na/rain.ogg,"rain\nand wind"\na/dog.wav,a dog, barking\n')
    with pytest.raises(
        ManifestError, match=r"m.csv:4: has 3 cells, but the header has 2: put text that holds ',' in quotes"
    ):
        read_manifest(path)


def test_missing_files_are_told_only_for_what_is_selected_and_only_if_asked(folder: Path) -> None:
    path = write(folder, "m.csv", "path,split\na/dog.wav,train\ngone.wav,test\n")
    with pytest.raises(ManifestError, match=r"m.csv:3: there is no audio file .*gone.wav"):
        read_manifest(path)
    assert len(read_manifest(path, where={"split": "train"})) == 1
    assert len(read_manifest(path, check_files=False)) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "m.csv",
            "clip,words\na/dog.wav,bark\n",
            "has no audio column .*only clip, words: say which it is \\(columns.audio, --column audio=NAME\\)",
        ),
        ("m.csv", "", "holds no clips"),
        ("m.csv", "path,caption,path\n", "the header has path twice"),
        ("m.csv", 'path,caption\na/dog.wav,"bark\n', "is not a row of a table"),
        ("m.csv", "path,start,end\na/dog.wav,5,2\n", "end is 2, but takes seconds after the start at 5"),
        ("m.csv", "path,start_s\na/dog.wav,-1\n", "start_s takes seconds from the beginning"),
        ("m.csv", "path,duration_s\na/dog.wav,nan\n", "duration_s takes a number"),
        ("m.csv", "id,path\nx,a/dog.wav\nx,a/rain.ogg\n", "m.csv:3: id 'x' is that of another clip already"),
        ("m.txt", "x", r"is not a manifest, which is a folder or a file that ends in \.csv"),
        ("m.parquet", "x", "is not a Parquet file"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(write(folder, name, text))


def test_text_that_is_not_utf_8_is_said(folder: Path) -> None:
    (folder / "m.csv").write_bytes("path,caption\na/dog.wav,Geräusch\n".encode("latin-1"))
    with pytest.raises(ManifestError, match="is not UTF-8 text"):
        read_manifest(folder / "m.csv")


def test_a_bracket_at_the_beginning_of_a_caption_is_no_list(folder: Path) -> None:
    (example,) = read_manifest(write(folder, "m.csv", "path,caption\na/dog.wav,[music] plays; then stops\n"))
    assert example.captions == ("[music] plays; then stops",)


def test_audio_may_lie_elsewhere(folder: Path) -> None:
    (folder / "lists").mkdir()
    path = write(folder / "lists", "m.csv", "file_name,caption\ndog.wav,bark\n")
    (example,) = read_manifest(path, audio_root=folder / "a")
    assert example.audio == folder / "a/dog.wav"
    (outside,) = read_manifest(write(folder / "lists", "n.csv", "path,caption\n../a/dog.wav,bark\n"))
    assert outside.audio.samefile(example.audio)


class TestFolder:
    def test_text_beside_a_sound_is_its_captions_one_a_line(self, folder: Path) -> None:
        write(folder, "a/dog.txt", "a dog barks\n\nbarking\n")
        dog, rain = read_manifest(folder)
        assert dog.captions == ("a dog barks", "barking")
        assert not rain.has_text

    def test_json_beside_a_sound_is_read_as_a_row(self, folder: Path) -> None:
        write(
            folder,
            "a/dog.json",
            '{"text": ["a dog barks"], "tag": ["dog"], "split": "train", "original_data": {"x": 1}}',
        )
        dog = read_manifest(folder).examples[0]
        assert (dog.captions, dog.labels, dog.split) == (("a dog barks",), ("dog",), "train")
        assert dog.extra == {"original_data": {"x": 1}}

    def test_without_such_files_the_folder_s_name_is_the_label(self, folder: Path) -> None:
        (folder / "a").rename(folder / "dog_bark")
        assert [e.labels for e in read_manifest(folder)] == [("dog bark",), ("dog bark",)]

    def test_a_manifest_in_the_folder_stands_for_it(self, folder: Path) -> None:
        write(folder, "metadata.csv", "file_name,text\na/dog.wav,bark\n")
        manifest = read_manifest(folder)
        assert manifest.path == folder / "metadata.csv"
        assert len(manifest) == 1

    def test_broken_and_doubled_sidecars_are_problems(self, folder: Path) -> None:
        write(folder, "a/dog.json", "[]")
        write(folder, "a/rain.json", "{}")
        write(folder, "a/rain.txt", "rain")
        with pytest.raises(ManifestError, match=r"a/dog.json holds a list(?s:.*)a/rain.json stands beside a/rain.txt"):
            read_manifest(folder)

    def test_links_are_followed_but_not_in_circles_and_hidden_folders_are_not_looked_into(self, folder: Path) -> None:
        (folder / "a" / "up").symlink_to(folder)
        (folder / ".cache").mkdir()
        (folder / ".cache" / "x.wav").write_bytes(b"sound")
        assert [e.id for e in read_manifest(folder)] == ["a/dog.wav", "a/rain.ogg"]

    def test_a_folder_without_sound_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError, match="holds no sound files"):
            read_manifest(tmp_path)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no such file or folder"):
        read_manifest(tmp_path / "nothing.csv")


class TestSelect:
    @pytest.fixture
    def manifest(self) -> Manifest:
        examples = (
            Example("1", Path("1"), ("a",), ("dog",), "train", 1, source="x", extra={"speaker": "3"}),
            Example("2", Path("2"), (), ("dog", "rain"), "train", 2, source="y"),
            Example("3", Path("3"), ("c",), (), "test", None),
        )
        return Manifest(Path("m.jsonl"), Path(), examples)

    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({"split": "train"}, "12"),
            ({"split": "train", "fold": [2, 3]}, "2"),
            ({"fold": None}, "3"),
            ({"labels": "dog"}, "12"),
            ({"labels": ["rain", "wind"]}, "2"),
            ({"has_caption": True}, "13"),
            ({"has_caption": False}, "2"),
            ({"has_labels": True, "source": ["x", "z"]}, "1"),
            ({"speaker": 3}, "1"),
            ({"speaker": None}, "23"),
            ({}, "123"),
        ],
    )
    def test_keeps_what_fits_every_key(self, manifest: Manifest, where: dict[str, object], ids: str) -> None:
        assert "".join(e.id for e in manifest.select(**where)) == ids

    def test_an_unknown_key_is_an_error_with_the_nearest(self, manifest: Manifest) -> None:
        with pytest.raises(ConfigError, match=r"'splt', which is no column .* did you mean 'split'"):
            manifest.select(splt="train")

    def test_a_flag_takes_true_or_false(self, manifest: Manifest) -> None:
        with pytest.raises(ConfigError, match=r"where\.has_caption takes true or false"):
            manifest.select(has_caption="yes")

    def test_nothing_left_is_an_error_that_says_what_there_is(self, manifest: Manifest) -> None:
        with pytest.raises(ManifestError, match=r"leaves none of its 3 clips; split is one of \['test', 'train'\]"):
            manifest.select(split="dev")


_words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
_examples = st.builds(
    Example,
    id=st.uuids().map(str),
    audio=st.uuids().map(lambda name: Path("sounds") / f"{name}.wav"),
    captions=st.lists(_words, max_size=3, unique=True).map(tuple),
    labels=st.lists(_words, max_size=3, unique=True).map(tuple),
    split=st.none() | _words,
    fold=st.none() | st.integers(0, 9),
    start_s=st.floats(0, 100),
    duration_s=st.none() | st.floats(0.01, 100),
    license=st.none() | _words,
    credit=st.none() | _words,
    source=st.none() | _words,
    extra=st.dictionaries(
        st.sampled_from(["title", "tags", "file", "start", "duration", "end", "seconds", "Captions", "caption_1"]),
        _words | st.integers() | st.lists(_words, min_size=1),
    ),
)


@settings(max_examples=60, deadline=None)
@given(examples=st.lists(_examples, min_size=1, max_size=4, unique_by=(lambda e: e.id, lambda e: e.audio)))
def test_what_is_written_reads_back_as_it_was(
    examples: list[Example], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("written")
    manifest = Manifest(root / "m.jsonl", Path(), tuple(examples))
    write_manifest(manifest, manifest.path)
    again = read_manifest(manifest.path, check_files=False)
    for ours, theirs in zip(examples, again, strict=True):
        assert theirs.audio.resolve() == ours.audio.resolve()
        assert {k: v for k, v in vars(theirs).items() if k != "audio"} == {
            k: v for k, v in vars(ours).items() if k != "audio"
        }


def test_the_starter_manifest_reads(starter_manifest: Path) -> None:
    manifest = read_manifest(starter_manifest)
    assert len(manifest.select(source="esc10", fold=5)) == 80
    assert all(example.has_text for example in manifest)


def test_captions_of_audiocaps_merge_five_to_a_clip(audiocaps_captions: Path) -> None:
    columns = ColumnConfig(audio="youtube_id")
    manifest = read_manifest(audiocaps_captions / "audiocaps_test.csv", columns=columns, check_files=False)
    assert max(len(example.captions) for example in manifest) == 5
    assert all(
        example.start_s == 0 for example in manifest
    )  # start_time is a place in the video, not in the clip's file


def test_file_names_need_not_be_unicode(tmp_path):
    name = "caf\udce9.wav"  # how Python holds a byte that is no UTF-8
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes Unicode only")
    (tmp_path / "caf\udce9.txt").write_text("a cup")
    manifest = read_manifest(tmp_path)
    write_manifest(manifest, tmp_path / "all.jsonl")
    assert read_manifest(tmp_path / "all.jsonl").examples[0].audio.name == manifest.examples[0].audio.name == name
    assert manifest.digest
