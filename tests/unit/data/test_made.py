"""Made and negative captions in manifests: written, read back, merged, and refused when they are not sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.manifest import Manifest, read_manifest, write_manifest
from openclap.errors import ManifestError

MADE = {"text": "A dog barks", "maker": "k2c", "of": ["dog"], "replaces": True, "details": {"score": 0.5}}
NEGATIVE = {"text": "A cat barks", "kind": "binding", "of": "A dog barks", "maker": "negatives"}
WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8)
MADE_CAPTIONS = st.builds(
    MadeCaption,
    WORDS,
    WORDS,
    of=st.lists(st.text(max_size=5)).map(tuple),
    replaces=st.booleans(),
    details=st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.integers() | st.lists(st.text())),
)
NEGATIVE_CAPTIONS = st.builds(NegativeCaption, WORDS, WORDS, WORDS, WORDS)


def read(path: Path, text: str) -> Example:
    path.write_text(text, encoding="utf-8")
    (example,) = read_manifest(path, check_files=False).examples
    return example


def read_row(folder: Path, **row: Any) -> Example:
    return read(folder / "m.jsonl", json.dumps({"audio": "a.wav"} | row) + "\n")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(MADE_CAPTIONS, max_size=3), negatives=st.lists(NEGATIVE_CAPTIONS, max_size=3))
def test_what_is_written_reads_back(made: list[MadeCaption], negatives: list[NegativeCaption], tmp_path: Path) -> None:
    example = Example("a", tmp_path / "a.wav", made=tuple(made), negatives=tuple(negatives))
    write_manifest(Manifest(tmp_path, tmp_path, (example,)), tmp_path / "m.jsonl")
    assert read_manifest(tmp_path / "m.jsonl", check_files=False).examples == (example,)


def test_tables_hold_them_as_json(tmp_path: Path) -> None:
    plain = read_row(tmp_path, made=[MADE], negatives=[NEGATIVE])
    cells = ['"' + json.dumps([item]).replace('"', '""') + '"' for item in (MADE, NEGATIVE)]
    in_cells = read(tmp_path / "m.csv", f"audio,made,negatives\na.wav,{','.join(cells)}\n")
    assert in_cells == plain
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for column in ([MADE], json.dumps([MADE])):
        table = arrow.table({"audio": ["a.wav"], "made": [column], "negatives": [json.dumps([NEGATIVE])]})
        parquet.write_table(table, tmp_path / "m.parquet")
        assert read_manifest(tmp_path / "m.parquet", check_files=False).examples == (plain,)


def test_an_empty_cell_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "m.csv", "audio,made,negatives\na.wav,,\n").made == ()
    assert read_row(tmp_path, made=None, negatives=[]).negatives == ()


def test_rows_of_one_clip_have_all_of_theirs_once(tmp_path: Path) -> None:
    other = MADE | {"text": "Barking"}
    rows = [{"audio": "a.wav", "made": [MADE]}, {"audio": "a.wav", "made": [other, MADE], "negatives": [NEGATIVE]}]
    example = read(tmp_path / "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [caption.text for caption in example.made] == ["A dog barks", "Barking"]
    assert example.negatives == (NegativeCaption(**NEGATIVE),)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"made": "A dog"}, "made takes a JSON list of objects, but is not JSON"),
        ({"made": {"text": "A dog"}}, "made takes a list of objects with text, maker, of, replaces, details"),
        ({"made": ["A dog"]}, "made takes objects with text, maker, .*, but one is a str"),
        ({"made": [{"text": "A dog"}]}, "made has an object whose maker takes a text, but is None"),
        ({"made": [MADE | {"text": " "}]}, "made has an object whose text takes a text, but is ' '"),
        ({"made": [MADE | {"from": 1}]}, "made has an object with the key 'from'"),
        ({"made": [MADE | {"of": "dog"}]}, "made has an object whose of takes a list of texts, but is 'dog'"),
        ({"made": [MADE | {"replaces": "yes"}]}, "made has an object whose replaces takes true or false, but is 'yes'"),
        ({"made": [MADE | {"details": []}]}, r"made has an object whose details takes an object, but is \[\]"),
        ({"negatives": [NEGATIVE | {"kind": None}]}, "negatives has an object whose kind takes a text, but is None"),
        ({"negatives": 3}, "negatives takes a list of objects with text, kind, of, maker, but holds a int"),
    ],
)
def test_what_is_not_sound_is_refused_with_its_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        read_row(tmp_path, **row)
    assert caught.value.line == 1


def test_a_manifest_without_them_is_written_as_before(tmp_path: Path) -> None:
    example = read_row(tmp_path, captions=["a dog"])
    write_manifest([example], tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "id": "a.wav", "audio": "a.wav", "captions": ["a dog"], "labels": [],
    }  # fmt: skip


def test_captions_for_which_a_made_one_stands_are_known() -> None:
    made = (MadeCaption("A person speaks", "debias", of=("A woman speaks",), replaces=True), MadeCaption("x", "k2c"))
    example = Example("a", Path("a.wav"), captions=("A woman speaks", "Speech"), made=made)
    assert example.replaced == {"A woman speaks"}


def test_a_clip_with_made_captions_alone_has_text() -> None:
    assert Example("a", Path("a.wav"), made=(MadeCaption("A dog barks", "k2c"),)).has_text
