"""An export holds what was not decided against, and nothing is replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.manifest import Manifest, read_manifest
from openclap.errors import ConfigError, DataError
from openclap.serving.browse.export import ExistsError, clean, export
from openclap.serving.browse.review import Among, Decision, DroppedCaption


def example(name: str, **fields: object) -> Example:
    return Example(id=name, audio=Path(f"{name}.wav"), **fields)  # type: ignore[arg-type]


def manifest(*examples: Example, folder: Path = Path()) -> Manifest:
    return Manifest(folder / "manifest.jsonl", folder, tuple(examples))


def dropping(among: Among, text: str) -> Decision:
    return Decision(drop=(DroppedCaption(among=among, text=text),))


def test_flagged_clips_are_left_out_and_counted_by_reason() -> None:
    cleaned = clean(
        manifest(example("a"), example("b"), example("c"), example("d")),
        {"a": Decision(flag="noisy"), "c": Decision(flag="noisy"), "d": Decision(note="a fine one")},
    )
    assert [e.id for e in cleaned.manifest] == ["b", "d"]
    assert cleaned.flagged == {"noisy": 2}


def test_a_dropped_caption_leaves_and_the_others_stay() -> None:
    clip = example("a", captions=("dog", "a dog"), made=(MadeCaption("dog", "k2c"), MadeCaption("a big dog", "llm")))
    left = clean(manifest(clip), {"a": dropping("captions", "dog")})
    assert left.manifest.examples[0].captions == ("a dog",)
    assert [made.text for made in left.manifest.examples[0].made] == ["dog", "a big dog"]
    left = clean(manifest(clip), {"a": dropping("made", "dog")})
    assert [made.text for made in left.manifest.examples[0].made] == ["a big dog"]
    assert left.captions == 1


def test_a_negative_goes_with_the_caption_that_it_twists() -> None:
    negatives = (
        NegativeCaption("rain then a dog", "order", "a dog then rain", "negatives"),
        NegativeCaption("loud wind", "attribute", "soft wind", "negatives"),
    )
    clip = example("a", captions=("a dog then rain", "soft wind"), negatives=negatives)
    left = clean(manifest(clip), {"a": dropping("captions", "a dog then rain")})
    assert left.manifest.examples[0].negatives == negatives[1:]
    assert left.captions == 2
    left = clean(manifest(clip), {"a": dropping("negatives", "loud wind")})
    assert left.manifest.examples[0].negatives == negatives[:1]


def test_a_clip_whose_last_words_were_dropped_goes_too() -> None:
    clips = manifest(example("a", captions=("dog",)), example("b"), example("c", captions=("x",), labels=("cat",)))
    cleaned = clean(clips, {"a": dropping("captions", "dog"), "c": dropping("captions", "x")})
    assert [e.id for e in cleaned.manifest] == ["b", "c"]  # b never had any, and c has a label
    assert cleaned.wordless == 1


def test_decisions_about_clips_that_are_gone_are_counted() -> None:
    assert clean(manifest(example("a")), {"b": Decision(flag="broken")}).unknown == 1


def test_an_export_is_a_manifest_and_a_record(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(b"sound")
    clips = [example(n, captions=(f"{n} one", f"{n} two"), labels=("x",), split="train") for n in "abc"]
    clips = [Example(**{**vars(clip), "audio": tmp_path / clip.audio}) for clip in clips]
    decisions = {"a": Decision(flag="other", note="not mine"), "b": dropping("captions", "b one")}
    cleaned, record = export(manifest(*clips, folder=tmp_path), decisions, tmp_path / "clean.jsonl")
    read = read_manifest(tmp_path / "clean.jsonl")
    assert [(e.id, e.captions) for e in read] == [("b", ("b two",)), ("c", ("c one", "c two"))]
    assert read.examples == cleaned.manifest.examples
    said = json.loads(record.read_text(encoding="utf-8"))
    assert record.name == "clean.decisions.json"
    assert said["decisions"]["a"] == {"flag": "other", "note": "not mine", "drop": []}
    assert (said["clips"], said["flagged"], said["captions"]) == (2, {"other": 1}, 1)


def test_nothing_is_replaced_without_being_asked_to(tmp_path: Path) -> None:
    clips = manifest(example("a"), folder=tmp_path)
    for existing in ("out.jsonl", "out.decisions.json"):
        (tmp_path / existing).write_text("mine", encoding="utf-8")
        with pytest.raises(ExistsError, match=existing):
            export(clips, {}, tmp_path / "out.jsonl")
        assert (tmp_path / existing).read_text(encoding="utf-8") == "mine"
        (tmp_path / existing).unlink()
    (tmp_path / "out.jsonl").write_text("mine", encoding="utf-8")
    export(clips, {}, tmp_path / "out.jsonl", overwrite=True)
    assert "a.wav" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


def test_the_manifest_itself_is_never_replaced(tmp_path: Path) -> None:
    clips = manifest(example("a"), folder=tmp_path)
    clips.path.write_text("the original", encoding="utf-8")
    (tmp_path / "link.jsonl").symlink_to(clips.path)
    for name in ("manifest.jsonl", "link.jsonl"):
        with pytest.raises(ConfigError, match="being browsed"):
            export(clips, {}, tmp_path / name, overwrite=True)
    assert clips.path.read_text(encoding="utf-8") == "the original"


def test_an_empty_manifest_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clip would be left"):
        export(manifest(example("a")), {"a": Decision(flag="broken")}, tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())


def test_the_name_says_what_it_is_written_as(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.jsonl"):
        export(manifest(example("a")), {}, tmp_path / "out.csv")
