"""What the labelled corpora's file names and tables mean, where that is easily got wrong."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import replica_beijing_opera
import replica_crema_d
import replica_dcase17_task4
import replica_esc50
import replica_esc50_actions
import replica_gtzan_genres
import replica_nsynth
import replica_ravdess
import replica_sesa
import replica_speech_commands
import replica_tut2017
import replica_vocalsound
from replica import Expected, sound, text

from openclap.data.corpora import crema_d, esc50, nsynth, speech_commands
from openclap.data.corpus import RemoteFile, corpora
from openclap.data.fetch import fetch_files
from openclap.data.hear import hear_name
from openclap.data.manifest import Manifest
from openclap.errors import ConfigError, DataError, ManifestError

VOCABULARIES = [(name, column) for name in corpora.names() for column in corpora.get(name).info.classes]


def prepared(name: str, raw: Path, **options: object) -> Manifest:
    """The examples of a corpus whose files lie in `raw`."""
    return corpora.get(name).prepare(raw.parent / "out", raw=raw, **options).read()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.mark.parametrize(("name", "column"), VOCABULARIES)
def test_a_vocabulary_holds_what_the_clips_say(name: str, column: str, raw: Path) -> None:
    classes = corpora.get(name).info.classes[column]
    assert len(set(classes)) == len(classes) > 1
    expected: Expected = import_module(f"replica_{name.replace('-', '_')}").build(raw)
    said = set()
    for example in prepared(name, raw, **expected.options):
        value = example.labels if column == "labels" else example.extra.get(column, ())
        said |= {str(item) for item in value} if isinstance(value, list | tuple) else {str(value)}
    assert said <= set(classes)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("esc50", 50), ("esc10", 10), ("esc50-actions", 20), ("urbansound8k", 10), ("dcase17-task4", 17),
        ("vocalsound", 6), ("sesa", 4), ("tut2017", 15), ("gtzan-genres", 10), ("gtzan-music-speech", 2),
        ("nsynth", 11), ("beijing-opera", 4), ("mridangam", 10), ("crema-d", 6), ("ravdess", 8), ("libricount", 11),
        ("speech-commands", 35),
    ],
)  # fmt: skip
def test_there_are_as_many_classes_as_the_papers_say(name: str, count: int) -> None:
    assert len(corpora.get(name).info.classes["labels"]) == count


@pytest.mark.parametrize(
    "name",
    ["esc50", "urbansound8k", "sesa", "nsynth", "mridangam", "libricount", "vocalsound", "ravdess", "vocal-imitations"],
)
def test_it_reads_what_its_archives_unpack_to(name: str, raw: Path, tmp_path: Path) -> None:
    corpus = corpora.get(name)
    expected: Expected = import_module(f"replica_{name.replace('-', '_')}").build(tmp_path / "published")
    files = corpus.files(corpus.config.read(expected.options, origin="test"))
    fetch_files([packed(file, tmp_path / "published", tmp_path / "server") for file in files], raw)
    assert len(prepared(name, raw, **expected.options)) == sum(expected.splits.values())


def packed(file: RemoteFile, published: Path, server: Path) -> RemoteFile:
    """The archive with what it unpacks to: its own folder of `published`, or the one that it is named after, or all."""
    named = published / file.name.split(".")[0]
    folder = published / file.into if file.into else published
    members = [named] if named.is_dir() and not file.into else sorted(folder.iterdir())
    path = server / file.name
    path.parent.mkdir(exist_ok=True)
    if file.unpack == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for member in (each for top in members for each in [top, *sorted(top.rglob("*"))]):
                archive.write(member, member.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                archive.add(member, member.relative_to(folder))
    return replace(file, url=path.as_uri(), bytes=None, md5=None, sha256=None)


class TestEsc:
    def test_a_target_is_the_place_of_its_class(self, raw: Path) -> None:
        replica_esc50.write(raw)
        for example in prepared("esc50", raw):
            assert esc50.CATEGORIES.index(str(example.extra["category"])) == example.extra["target"]
            assert example.id.endswith(f"-{example.extra['target']}")

    def test_it_may_be_unpacked_without_its_folder(self, raw: Path) -> None:
        text(raw / "meta" / "esc50.csv", replica_esc50.HEADER, replica_esc50.LINES[0])
        sound(raw / "audio" / "1-100032-A-0.wav")
        assert len(prepared("esc50", raw)) == 1

    def test_the_table_of_an_old_release_is_named(self, raw: Path) -> None:
        text(raw / "meta" / "esc50.csv", "filename,fold,category,category_name,esc10,src_file,take")
        with pytest.raises(ManifestError, match="no column target"):
            prepared("esc50", raw)

    def test_a_cell_that_should_be_a_number_is_named(self, raw: Path) -> None:
        text(raw / "meta" / "esc50.csv", replica_esc50.HEADER, "1-100032-A-0.wav,one,0,dog,True,100032,A")
        with pytest.raises(ManifestError, match="'one' in the column fold"):
            prepared("esc50", raw)

    def test_fold_and_freesound_id_are_those_of_the_real_clips(self, starter_manifest: Path, raw: Path) -> None:
        """The starter's ESC-10 has its own folds, and the address of each recording at Freesound."""
        words = {
            "dog bark": "dog", "baby cry": "crying_baby", "person sneeze": "sneezing",
            "fire crackling": "crackling_fire", "sea waves": "sea_waves", "clock tick": "clock_tick",
        }  # fmt: skip
        clips = [json.loads(line) for line in starter_manifest.read_text(encoding="utf-8").splitlines()]
        clips = [clip for clip in clips if clip["source"] == "esc10"]
        lines, truths = [], {}
        for clip in clips:
            category = words.get(clip["tags"][0], clip["tags"][0])
            own = f"{Path(clip['path']).stem}-{esc50.CATEGORIES.index(category)}"
            fold, recording, take, target = own.split("-")
            lines.append(f"{own}.wav,{fold},{target},{category},True,{recording},{take}")
            truths[own] = (clip["fold"], re.search(r"/sounds/(\d+)", clip["credit"])[1])
            link = raw / "audio" / f"{own}.wav"  # Vorbis under the published name: decoders look inside
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(starter_manifest.parent / clip["path"])
        text(raw / "meta" / "esc50.csv", replica_esc50.HEADER, *lines)
        found = {example.id: (example.fold, example.extra["freesound_id"]) for example in prepared("esc10", raw)}
        assert len(found) == 400
        assert found == truths

    def test_an_action_counts_from_the_rating_that_one_sets(self, raw: Path) -> None:
        replica_esc50_actions.build(raw)
        labels = {example.id: example.labels for example in prepared("esc50-actions", raw, min_rating=1.0)}
        assert labels["1-100032-A-0"] == ("calling", "exhaling", "wailing")


class TestFolders:
    def test_labels_that_are_none_of_the_challenges_are_named_with_their_line(self, raw: Path) -> None:
        replica_dcase17_task4.build(raw)
        table = raw / "groundtruth_weak_label_testing_set.csv"
        text(
            table, "-Gbohom8C4Q_30.000_40.000.wav\t30.000\t40.000\tTrain horn", "x_0.000_9.000.wav\t0.000\t9.000\tOboe"
        )
        with pytest.raises(ManifestError, match="'Oboe'") as caught:
            prepared("dcase17-task4", raw)
        assert caught.value.line == 2

    def test_the_larger_vocalsound_has_another_folder(self, raw: Path) -> None:
        replica_vocalsound.build(raw)
        sound(raw / "data_44k" / "f2641_0_sniff.wav", rate_hz=44100)
        assert [example.id for example in prepared("vocalsound", raw, rate="44k")] == ["f2641_0_sniff"]

    def test_a_table_of_speakers_may_have_a_header(self, raw: Path) -> None:
        replica_vocalsound.build(raw)
        header = "spk_id,gender,age,country,native language,health condition"
        text(raw / "meta" / "te_meta.csv", header, "f2641,female,22,Kenya,Swahili,no")
        ages = {example.id: example.extra.get("age") for example in prepared("vocalsound", raw)}
        assert ages["f2641_0_sniff"] == "22"

    def test_one_of_tuts_sets_is_enough(self, raw: Path) -> None:
        replica_tut2017.build(raw)
        assert {example.split for example in prepared("tut2017", raw, sets=["evaluation"])} == {"evaluation"}

    def test_a_clip_that_two_folds_evaluate_on_is_an_error(self, raw: Path) -> None:
        replica_tut2017.build(raw)
        setup = raw / "TUT-acoustic-scenes-2017-development" / "evaluation_setup"
        text(setup / "fold2_evaluate.txt", "audio/b020_90_100.wav\tbeach")
        with pytest.raises(DataError, match="two folds"):
            prepared("tut2017", raw)

    def test_a_sound_of_another_name_is_no_sesa_clip(self, raw: Path) -> None:
        replica_sesa.build(raw)
        sound(raw / "SESA" / "train" / "thunder_001.wav")
        with pytest.raises(DataError, match="thunder_001"):
            prepared("sesa", raw)


class TestMusic:
    def test_the_broken_excerpt_can_be_asked_for(self, raw: Path) -> None:
        replica_gtzan_genres.build(raw)
        assert "jazz.00054" in {example.id for example in prepared("gtzan-genres", raw, skip=[])}

    def test_without_the_filtered_lists_it_can_do_without_splits(self, raw: Path) -> None:
        replica_gtzan_genres.build(raw)
        (raw / "test_filtered.txt").unlink()
        with pytest.raises(DataError, match="test_filtered"):
            prepared("gtzan-genres", raw)
        assert {example.split for example in prepared("gtzan-genres", raw, split="none")} == {None}

    def test_nsynths_test_split_needs_nothing_of_train(self, raw: Path) -> None:
        replica_nsynth.build(raw)
        (raw / "nsynth-train" / "examples.json").unlink()
        files = corpora.get("nsynth").files(nsynth.NsynthConfig(splits=("test",)))
        assert [file.name for file in files] == ["nsynth-test.jsonwav.tar.gz"]
        assert {example.split for example in prepared("nsynth", raw, splits=["test"])} == {"test"}

    @pytest.mark.parametrize("told", ["{}", ' {"a": {"b": [1, 2]} , "c":3}\n', '{"a":1,"b":{"x":"}{"},"c":[{}]}'])
    def test_a_large_object_is_read_as_json_would(self, told: str, tmp_path: Path) -> None:
        path = text(tmp_path / "examples.json", told)
        assert dict(nsynth.object_items(path)) == json.loads(told)

    @pytest.mark.parametrize("told", ["", "[1]", '{"a": 1', '{"a" 1}', '{"a": 1 "b": 2}', '{"a": 1,'])
    def test_a_cut_off_object_is_an_error(self, told: str, tmp_path: Path) -> None:
        path = text(tmp_path / "examples.json", told)
        with pytest.raises(ManifestError, match="JSON object"):
            list(nsynth.object_items(path))

    def test_hear_spelled_hyphens(self) -> None:
        name = "mridangam_stroke_1.5/C#/226250__akshaylaya__tha-csh-017.wav"
        assert hear_name(name) == "226250-akshaylaya-tha-negative-csh-negative-017.wav"

    def test_folds_of_another_corpus_are_an_error(self, raw: Path) -> None:
        replica_beijing_opera.build(raw)
        text(raw / "hear" / "fold01.json", json.dumps({"1-5pq0fq.wav": ["1"]}))
        with pytest.raises(DataError, match="of this corpus"):
            prepared("beijing-opera", raw, folds="hear")

    def test_without_hears_folds_there_are_none(self, raw: Path) -> None:
        replica_beijing_opera.build(raw)
        assert {example.fold for example in prepared("beijing-opera", raw)} == {None}


class TestSpeech:
    def test_the_tfds_split_of_crema_d_is_the_published_one(self) -> None:
        """TensorFlow Datasets counts 738 clips of validation and 1,556 of test.

        An actor has 82, and it could not find one each of actors 1040 and 1013.
        """
        splits = crema_d.tfds_split()
        parts = {part: [actor for actor, own in splits.items() if own == part] for part in ("validation", "test")}
        assert len(parts["validation"]) * 82 == 738
        assert len(parts["test"]) * 82 - 2 == 1556
        assert {1013, 1040} <= set(parts["test"])

    def test_no_actor_is_on_both_sides(self, raw: Path) -> None:
        replica_crema_d.build(raw)
        clips = prepared("crema-d", raw)
        assert {example.split for example in clips} <= {"train", "validation", "test"}
        assert {example.extra["actor"]: example.split for example in clips}["1040"] == "test"

    def test_the_faulty_clips_can_be_asked_for(self, raw: Path) -> None:
        replica_crema_d.build(raw)
        assert "1076_MTI_SAD_XX" not in {example.id for example in prepared("crema-d", raw)}
        assert "1076_MTI_SAD_XX" in {example.id for example in prepared("crema-d", raw, skip=[])}

    def test_a_clone_without_lfs_is_told_what_it_lacks(self, raw: Path) -> None:
        replica_crema_d.build(raw)
        pointer = raw / "CREMA-D" / "AudioWAV" / "1001_DFA_ANG_XX.wav"
        text(pointer, "version https://git-lfs.github.com/spec/v1", "oid sha256:4d7a", "size 74028")
        with pytest.raises(DataError, match="git lfs pull"):
            prepared("crema-d", raw)

    def test_ravdess_is_speech_unless_song_is_asked_for(self, raw: Path) -> None:
        replica_ravdess.build(raw)
        assert {example.extra["channel"] for example in prepared("ravdess", raw)} == {"speech"}

    def test_twelve_classes_have_silence_and_the_test_set_of_their_own(self, raw: Path) -> None:
        replica_speech_commands.write(raw)
        clips = {example.id: example for example in prepared("speech-commands", raw, classes=12)}
        assert clips["yes/0a7c2a8d_nohash_0"].labels == ("yes",)
        assert clips["marvin/1ecfb537_nohash_0"].labels == ("unknown",)
        assert "zero/0ab3b47d_nohash_0" not in clips
        assert {own: clip.labels for own, clip in clips.items() if clip.split == "test"} == {
            "test/_silence_/0": ("silence",),
            "test/_unknown_/0ab3b47d_nohash_0": ("unknown",),
            "test/yes/022cd682_nohash_0": ("yes",),
        }
        silence = [clip for clip in clips.values() if clip.labels == ("silence",) and clip.split != "test"]
        assert [(clip.split, clip.start_s, clip.duration_s) for clip in silence] == [
            ("train", 0.0, 1.0),
            ("train", 0.5, 1.0),
            ("validation", 0.0, 1.0),
            ("validation", 0.5, 1.0),
            ("validation", 1.0, 1.0),
        ]

    def test_the_older_release_has_no_test_set_of_twelve_classes(self, raw: Path) -> None:
        with pytest.raises(ConfigError, match=r"of 0\.02"):
            prepared("speech-commands", raw, classes=12, release="0.01")

    def test_without_the_lists_the_published_rule_decides(self, raw: Path) -> None:
        replica_speech_commands.write(raw)
        for name in ("validation_list.txt", "testing_list.txt"):
            (raw / "speech_commands_v0.02" / name).unlink()
        for example in prepared("speech-commands", raw):
            assert example.split == speech_commands.hash_split(f"{example.id}.wav")

    def test_the_rule_keeps_a_speaker_together_and_gives_a_tenth_to_each(self) -> None:
        assert speech_commands.hash_split("right/bb05582b_nohash_3.wav") == "test"  # in the published testing_list.txt
        assert (
            len({speech_commands.hash_split(f"{word}/0a7c2a8d_nohash_{n}.wav") for word in "ab" for n in range(5)}) == 1
        )
        splits = [speech_commands.hash_split(f"yes/{n:08x}_nohash_0.wav") for n in range(4000)]
        for part in ("validation", "test"):
            assert splits.count(part) / len(splits) == pytest.approx(0.1, abs=0.02)  # four standard deviations
