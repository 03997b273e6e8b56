"""What corpora share: how clips are found, tables read and manifests written; and what is particular to a few."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import replica_fsd50k
import replica_hf
import replica_laion_630k
from huggingface_hub.hf_api import RepoFile, RepoFolder
from replica import sound, text

from openclap.data import tables
from openclap.data.corpora.wavcaps import WavCaps, WavCapsConfig
from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.hub import hub_files
from openclap.data.manifest import read_manifest
from openclap.data.prepared import write_prepared
from openclap.data.tables import json_rows, table_rows
from openclap.data.youtube import ClipFiles, YouTubeConfig
from openclap.errors import ConfigError, DataError, ManifestError

CAPTIONS = Path(__file__).parents[4] / "shared/data/captions"


class Tiny(PublishedCorpus):
    """A corpus of an archive and a table, as somebody publishes it in a folder of this machine."""

    def __init__(self, published: Path) -> None:
        self.info = CorpusInfo(  # type: ignore[misc]
            "tiny",
            "a test",
            "CC0",
            access="download",
            files=(
                RemoteFile("sound.zip", (published / "sound.zip").as_uri(), unpack="zip", into="audio"),
                RemoteFile("table.csv", (published / "table.csv").as_uri()),
            ),
        )

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        for row in table_rows(raw / "table.csv", ("name", "label")):
            yield {"id": row["name"], "audio": f"audio/{row['name']}.wav", "labels": [row["label"]]}


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    published = tmp_path / "published"
    text(published / "table.csv", "name,label", "a,dog", "b,rain", "gone,wind")
    with zipfile.ZipFile(published / "sound.zip", "w") as file:
        for name in ("a.wav", "b.wav"):
            file.write(sound(published / name), name)
    return Tiny(published)


class TestPublishedCorpus:
    def test_it_is_fetched_unpacked_and_prepared(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "tiny/raw")
        told: list[tuple[str, int, int | None]] = []
        prepared = tiny.prepare(tmp_path / "tiny", progress=lambda *now: told.append(now))
        assert (prepared.clips, prepared.missing, prepared.missing_examples) == (2, 1, ("gone",))
        assert [example.labels for example in read_manifest(prepared.path)] == [("dog",), ("rain",)]
        assert told[-1][:2] == ("clips", 3)

    def test_the_folder_says_what_it_was_made_with(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "tiny/raw")
        tiny.prepare(tmp_path / "tiny")
        stamp = json.loads((tmp_path / "tiny/corpus.json").read_text())
        assert stamp == {
            "corpus": "tiny", "version": 1, "options": {"missing": "skip"}, "raw": "raw", "clips": 2,
            "splits": {"": 2}, "missing": 1,
        }  # fmt: skip

    def test_a_corpus_can_be_moved(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "tiny/raw")
        tiny.prepare(tmp_path / "tiny")
        shutil.move(tmp_path / "tiny", tmp_path / "elsewhere")
        assert len(read_manifest(tmp_path / "elsewhere/manifest.jsonl")) == 2

    def test_sound_may_lie_anywhere(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "disk")
        assert len(read_manifest(tiny.prepare(tmp_path / "deep/tiny", raw=tmp_path / "disk").path)) == 2

    def test_a_manifest_that_would_be_empty_is_not_written(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "tiny/raw")
        before = tiny.prepare(tmp_path / "tiny").path.read_bytes()
        shutil.rmtree(tmp_path / "tiny/raw/audio")
        with pytest.raises(DataError, match="3 clips are listed, and none has its sound"):
            tiny.prepare(tmp_path / "tiny")
        assert (tmp_path / "tiny/manifest.jsonl").read_bytes() == before

    def test_two_corpora_do_not_share_a_folder(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.fetch(tmp_path / "raw")
        tiny.prepare(tmp_path / "out", raw=tmp_path / "raw")
        with pytest.raises(ConfigError, match="is of the corpus tiny"):
            corpora.get("folder").prepare(tmp_path / "out", raw=tmp_path / "raw")

    def test_what_is_missing_is_asked_for_where_it_was_looked_for(self, tiny: Tiny, tmp_path: Path) -> None:
        own = Path("corpora/tiny")
        for out, raw, place in (
            (own, None, "tiny"),
            (tmp_path / "mine", None, f"tiny --out {tmp_path / 'mine'}"),
            (own, tmp_path / "disk", f"tiny --raw {tmp_path / 'disk'}"),
            (own, tmp_path / "a disk/raw", f"tiny --out '{tmp_path / 'a disk'}'"),
        ):
            with pytest.raises(DataError) as caught:
                tiny.prepare(out, raw=raw)
            assert f"Get it with `openclap data get {place}`" in str(caught.value)

    def test_what_cannot_be_downloaded_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="LAION publishes tables of links"):
            corpora.get("laion-630k").fetch(tmp_path)


class TestWriting:
    @pytest.fixture
    def write(self, tmp_path: Path):
        for name in ("a.wav", "b.wav"):
            sound(tmp_path / "raw" / name)
        return lambda *rows: write_prepared(rows, tmp_path / "out", tmp_path / "raw", {"corpus": "x"})

    def test_one_id_for_two_clips_is_an_error(self, write) -> None:
        with pytest.raises(DataError, match="two of its clips have the id '1'"):
            write({"id": 1, "audio": "a.wav"}, {"id": "1", "audio": "b.wav"})

    def test_two_rows_of_one_clip_are_its_captions(self, write) -> None:
        rows = [{"id": "1", "audio": "a.wav", "captions": [caption]} for caption in ("one", "two")]
        (example,) = write(*rows).read()
        assert example.captions == ("one", "two")

    def test_nothing_is_left_of_a_run_that_fails(self, write, tmp_path: Path) -> None:
        def rows() -> Iterator[dict[str, str]]:
            yield {"audio": "a.wav"}
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            write_prepared(rows(), tmp_path / "out", tmp_path / "raw", {"corpus": "x"})
        assert not list((tmp_path / "out").iterdir())


class TestClipFiles:
    @pytest.mark.parametrize(
        "name",
        ["-0aB_cdEfGh.wav", "Y-0aB_cdEfGh.flac", "-0aB_cdEfGh_30.ogg", "-0aB_cdEfGh_30.000_40.000.wav",
         "-0aB_cdEfGh_30000.mp3", "-0aB_cdEfGh_30000_40000.wav", "-0aB_cdEfGh_000030.mp4", "Y-0aB_cdEfGh_30_10.WAV"],
    )  # fmt: skip
    def test_a_clip_is_found_under_each_of_the_usual_names(self, name: str, tmp_path: Path) -> None:
        text(tmp_path / "deep/er" / name)
        assert ClipFiles(tmp_path).find("-0aB_cdEfGh", 30.0)[0] == str(tmp_path / "deep/er" / name)

    @pytest.mark.parametrize("name", ["-0aB_cdEfGh_90.wav", "-0aB_cdEfGi.wav", "-0aB_cdEfGh.txt", "-0aB_cdEfGh-2.wav"])
    def test_another_clip_is_not_taken_for_it(self, name: str, tmp_path: Path) -> None:
        text(tmp_path / name)
        assert ClipFiles(tmp_path).find("-0aB_cdEfGh", 30.0) == (None, False)

    def test_a_name_that_says_the_start_is_preferred(self, tmp_path: Path) -> None:
        for name in ("abcdefghijk.wav", "abcdefghijk_5.wav", "abcdefghijk_30.wav"):
            text(tmp_path / name)
        clips = ClipFiles(tmp_path)
        assert clips.find("abcdefghijk", 30.0) == (str(tmp_path / "abcdefghijk_30.wav"), True)
        assert clips.find("abcdefghijk", 7.0) == (str(tmp_path / "abcdefghijk.wav"), False)

    def test_an_id_that_begins_with_y_is_told_from_a_y_before_an_id(self, tmp_path: Path) -> None:
        text(tmp_path / "Yabcdefghij.wav")  # 11 characters: the id
        text(tmp_path / "Yabcdefghij_.wav")  # 12: a Y before one
        clips = ClipFiles(tmp_path)
        assert clips.find("Yabcdefghij")[0] == str(tmp_path / "Yabcdefghij.wav")
        assert clips.find("abcdefghij_")[0] == str(tmp_path / "Yabcdefghij_.wav")

    def test_of_whole_videos_the_seconds_are_said(self, tmp_path: Path) -> None:
        text(tmp_path / "abcdefghijk.wav")
        row = ClipFiles(tmp_path).row("abcdefghijk", 30.0, 40.0, YouTubeConfig(whole_videos=True))
        assert (row["start_s"], row["duration_s"], row["youtube_start_s"]) == (30.0, 10.0, 30.0)

    def test_folders_that_are_linked_are_searched_once(self, tmp_path: Path) -> None:
        text(tmp_path / "disk" / "abcdefghijk.wav")
        (tmp_path / "audio").mkdir()
        (tmp_path / "audio/link").symlink_to(tmp_path / "disk")
        (tmp_path / "disk/loop").symlink_to(tmp_path / "audio")
        assert len(ClipFiles(tmp_path / "audio")) == 1

    def test_no_folder_is_no_clips(self, tmp_path: Path) -> None:
        assert len(ClipFiles(tmp_path / "gone")) == 0


class TestTables:
    @pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
    @pytest.mark.parametrize("key", [None, "data"])
    def test_a_long_list_is_read_an_item_at_a_time(
        self, chunk: int, key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        items = [{"a": "x, ]}", "b": [1, {"c": None}]}, {}, {"a": 'quo"te \\ é'}, {"a": "\n"}]
        text(tmp_path / "x.json", json.dumps({"count": 1, key: items, "end": [0]} if key else items, indent=1))
        size = (tmp_path / "x.json").stat().st_size
        monkeypatch.setattr(tables, "_READ_CHARACTERS", max(chunk, 40 if key else 4))
        assert list(json_rows(tmp_path / "x.json", key)) == items
        assert size > 40

    def test_a_cut_list_is_an_error_after_its_whole_items(self, tmp_path: Path) -> None:
        text(tmp_path / "x.json", '[{"a": 1}, {"a": ')
        rows = json_rows(tmp_path / "x.json")
        assert next(rows) == {"a": 1}
        with pytest.raises(ManifestError, match="cannot be read as JSON"):
            next(rows)

    @pytest.mark.parametrize("wrong", ["{'a': 1}", '{"a": "x" "b": 1}', '{"a": tru}', '{"a": "\\q"}'])
    def test_a_malformed_item_is_told_without_reading_on(
        self, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = '[{"a": 1}, '
        text(tmp_path / "x.json", begin + wrong + ', {"a": 2}' * 10_000 + "]")
        monkeypatch.setattr(tables, "_READ_CHARACTERS", 100)
        longest = 0
        decode = json.JSONDecoder.raw_decode

        def watched(self: json.JSONDecoder, given: str, place: int = 0) -> tuple[Any, int]:
            nonlocal longest
            longest = max(longest, len(given))
            return decode(self, given, place)

        monkeypatch.setattr(json.JSONDecoder, "raw_decode", watched)
        rows = json_rows(tmp_path / "x.json")
        assert next(rows) == {"a": 1}
        with pytest.raises(ManifestError, match=r"cannot be read as JSON \(.* at character \d+\)") as caught:
            next(rows)
        assert longest <= 200
        place = int(str(caught.value).rpartition(" ")[2].rstrip(")"))
        assert len(begin) < place <= len(begin + wrong) + 1

    def test_another_file_has_no_such_list(self, tmp_path: Path) -> None:
        text(tmp_path / "x.json", "<html>")
        with pytest.raises(ManifestError, match="has no list data: is it the published file"):
            list(json_rows(tmp_path / "x.json", "data"))

    def test_a_missing_column_and_a_short_row_are_named(self, tmp_path: Path) -> None:
        table = text(tmp_path / "x.csv", "fname,label", "a,dog", "b")
        with pytest.raises(ManifestError, match="has no column labels; it has fname, label"):
            list(table_rows(table, ("labels",)))
        with pytest.raises(ManifestError, match="has 1 cells, but the table has 2 columns") as caught:
            list(table_rows(table))
        assert caught.value.line == 3

    def test_text_in_another_encoding_is_said_to_be(self, tmp_path: Path) -> None:
        table = text(tmp_path / "x.csv", "café", encoding="iso-8859-1")
        with pytest.raises(ManifestError, match="is not utf-8-sig text"):
            list(table_rows(table))
        assert list(table_rows(table, ("café",), encoding="iso-8859-1")) == []


@pytest.mark.parametrize("item", [{"id": "1"}, {"caption": "A dog barks."}, ["1", "A dog barks."]])
def test_an_item_of_wavcaps_that_lacks_something_is_named(item: object, tmp_path: Path) -> None:
    good = {"id": "0", "caption": "Rain falls."}
    text(tmp_path / "json_files/SoundBible/sb_final.json", json.dumps({"data": [good, item]}))
    rows = WavCaps().rows(tmp_path, WavCapsConfig(blacklists=()))
    assert next(rows)["id"] == "SoundBible/0"
    with pytest.raises(ManifestError, match=r"sb_final\.json: item 2 of its list has no id and caption"):
        next(rows)


class TestHub:
    @pytest.fixture
    def listed(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []
        lfs = {"size": 9, "oid": "a" * 64, "pointerSize": 1}

        def list_repo_tree(_: object, repository: str, **options: Any) -> list[RepoFile | RepoFolder]:
            asked.append({"repository": repository, **options})
            if repository == "no/such":
                raise OSError("404 Client Error\nmore")
            return [
                RepoFolder(path="data", oid="x"),
                RepoFile(path="data/a.parquet", size=9, oid="x", lfs=lfs),
                RepoFile(path="README.md", size=5, oid="x"),
                RepoFile(path="Zip_files/x.z01", size=7, oid="x"),
                RepoFile(path="Zip_files/x.zip", size=7, oid="x"),
            ]

        monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", list_repo_tree)
        return asked

    def test_files_come_with_their_sizes_and_checksums(self, listed: list[dict[str, Any]]) -> None:
        (file,) = hub_files("owner/set", "*.parquet", revision="v1")
        assert (file.name, file.bytes, file.sha256, file.unpack) == ("data/a.parquet", 9, "a" * 64, "no")
        assert file.url.endswith("/datasets/owner/set/resolve/v1/data/a.parquet")
        assert listed[0]["revision"] == "v1"

    @pytest.mark.usefixtures("listed")
    def test_of_a_split_zip_the_last_volume_is_unpacked(self) -> None:
        files = {file.name: file.unpack for file in hub_files("owner/set", unpack=True)}
        assert files == {"data/a.parquet": "no", "README.md": "no", "Zip_files/x.z01": "no", "Zip_files/x.zip": "zip"}

    @pytest.mark.usefixtures("listed")
    def test_a_set_that_is_not_there_is_said_to_be(self) -> None:
        with pytest.raises(DataError, match=r"no/such: its files on the hub cannot be listed \(404 Client Error\)"):
            list(hub_files("no/such"))

    def test_parts_of_wavcaps_are_asked_for_alone(self, listed: list[dict[str, Any]]) -> None:
        config = SimpleNamespace(parts=("SoundBible",))
        assert list(corpora.get("wavcaps").files(config)) == []  # type: ignore[attr-defined]
        assert listed[0]["repository"] == "cvssp/WavCaps"


@pytest.mark.parametrize(
    ("corpus", "table", "text"),
    [
        ("vggsound", "vggsound.csv", "--PJHxphWEs,soon,dog,train\n"),
        ("vggsound", "vggsound.csv", "--PJHxphWEs,inf,dog,train\n"),
        ("audioset", "eval_segments.csv", '--4gqARaEJE, 0.000, late, "/m/1"\n'),
        ("audiocaps", "dataset/val.csv", "audiocap_id,youtube_id,start_time,caption\n1,--4gqARaEJE,soon,A dog\n"),
    ],
)
def test_a_start_that_is_no_number_names_the_table(corpus: str, table: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "raw" / table).parent.mkdir(parents=True)
    (tmp_path / "raw" / table).write_text(text)
    (tmp_path / "raw" / "class_labels_indices.csv").write_text("index,mid,display_name\n0,/m/1,Dog\n")
    with pytest.raises(ManifestError, match=f"{Path(table).stem}.*where a number belongs"):
        corpora.get(corpus).prepare(tmp_path)


class TestHf:
    def test_sound_is_written_as_it_is_and_once(self, tmp_path: Path) -> None:
        replica_hf.build(tmp_path / "raw")
        first = corpora.get("hf").prepare(tmp_path).read().select(split="train").examples[0].audio
        assert first.suffix == ".flac"
        assert first.read_bytes()[:4] == b"fLaC"
        changed = first.stat().st_mtime_ns
        corpora.get("hf").prepare(tmp_path)
        assert first.stat().st_mtime_ns == changed

    def test_other_sound_of_the_same_size_is_not_taken_for_the_old_one(self, tmp_path: Path) -> None:
        replica_hf.build(tmp_path / "raw")
        first = corpora.get("hf").prepare(tmp_path).read().select(split="train").examples[0].audio
        right = first.read_bytes()
        first.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))  # of a revision before
        corpora.get("hf").prepare(tmp_path)
        assert first.read_bytes() == right

    def test_sound_without_a_name_gets_the_suffix_of_its_format(self, tmp_path: Path) -> None:
        replica_hf.build(tmp_path / "raw")
        unnamed = corpora.get("hf").prepare(tmp_path).read().select(split="train").examples[1]
        assert unnamed.audio.suffix == ".wav"

    def test_a_table_without_sound_says_so(self, tmp_path: Path) -> None:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        (tmp_path / "raw").mkdir()
        pq.write_table(pa.table({"text": ["a"]}), tmp_path / "raw/x.parquet")
        with pytest.raises(ManifestError, match="no column of sound, only text: say which with --set audio=NAME"):
            corpora.get("hf").prepare(tmp_path)
        with pytest.raises(ManifestError, match=r"no column 'txt'.*'text'"):
            corpora.get("hf").prepare(tmp_path, audio="txt")

    def test_which_set_must_be_said(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="repository=OWNER/NAME"):
            corpora.get("hf").fetch(tmp_path)


class TestLaion:
    def test_archives_are_read_where_they_lie_with_all_that_they_say(self, tmp_path: Path) -> None:
        replica_laion_630k.build(tmp_path / "raw")
        last, first, second = corpora.get("laion-630k").prepare(tmp_path).read()
        assert first.captions == ("futuresoundfx-795.", "Sci-Fi effects")
        assert first.labels == ("fx", "Alien")
        assert [(made.text, made.maker, made.of) for made in first.made] == [
            ("an alien effect", "k2c", ("fx", "Alien"))
        ]
        assert (first.credit, first.extra["freesound_id"], first.split) == ("someone", "158824", "train")
        assert ".tar::" in str(first.audio)
        assert (second.labels, second.made, last.split, last.labels) == (("Harp",), (), "test", ())

    def test_loose_files_are_read_too(self, tmp_path: Path) -> None:
        sound(tmp_path / "raw/valid/1.flac")
        text(tmp_path / "raw/valid/1.json", json.dumps(replica_laion_630k.FREESOUND))
        (example,) = corpora.get("laion-630k").prepare(tmp_path).read()
        assert (example.split, example.captions[1]) == ("valid", "Sci-Fi effects")


def test_the_sounds_that_a_table_lists_are_fetched_with_it(tmp_path: Path) -> None:
    sound(tmp_path / "site/0100.wav")
    row = f"https://a,{(tmp_path / 'site/0100.wav').as_uri()},Forest,Birds,0100.wav,"
    text(tmp_path / "raw/WavText5K.csv", "view_link,download_link,title,description,fname,tags", row)
    (file,) = corpora.get("wavtext5k").listed_files(tmp_path / "raw", CorpusConfig())  # type: ignore[attr-defined]
    assert (file.name, Path(file.url).name) == ("audio/0100.wav", "0100.wav")


def test_what_uploaders_wrote_can_be_fsd50ks_captions(tmp_path: Path) -> None:
    replica_fsd50k.build(tmp_path / "raw")
    first = corpora.get("fsd50k").prepare(tmp_path, captions="uploader").read().examples[0]
    assert first.captions == ("guitar", "A riff")


def test_a_label_that_audioset_does_not_name_is_an_error(tmp_path: Path) -> None:
    text(tmp_path / "raw/class_labels_indices.csv", "index,mid,display_name", "0,/m/1,Speech")
    text(tmp_path / "raw/eval_segments.csv", '--4gqARaEJE, 0.000, 10.000, "/m/1,/m/2"')
    with pytest.raises(ManifestError, match="has the label /m/2"):
        corpora.get("audioset").prepare(tmp_path)


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="needs ../shared/data/captions")
def test_the_real_tables_of_audiocaps_are_read(tmp_path: Path) -> None:
    for split in ("val", "test"):
        (tmp_path / "raw/dataset").mkdir(parents=True, exist_ok=True)
        shutil.copy(CAPTIONS / f"audiocaps_{split}.csv", tmp_path / "raw/dataset" / f"{split}.csv")
    corpus = corpora.get("audiocaps")
    rows = list(corpus.rows(tmp_path / "raw", corpus.config()))  # type: ignore[attr-defined]
    assert [row["split"] for row in rows] == ["val"] * 495 + ["test"] * 975
    assert {len(row["captions"]) for row in rows} == {5}
    assert len({row["id"] for row in rows}) == len(rows)
    sound(tmp_path / "raw/audio" / f"Y{rows[0]['youtube_id']}.wav")
    prepared = corpus.prepare(tmp_path)
    assert (prepared.clips, prepared.missing) == (1, 495 + 975 - 1)
