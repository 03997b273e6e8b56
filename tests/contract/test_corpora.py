"""Every registered corpus reads its official layout: it is tested because it is registered, on a replica of it.

The replicas, and how one is written, are in tests/unit/data/replicas/replica.py.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from replica import Expected

from openclap.audio.decode import audio_info
from openclap.data.corpus import PublishedCorpus, corpora
from openclap.data.example import Example
from openclap.data.manifest import read_manifest
from openclap.data.prepared import Prepared
from openclap.errors import ConfigError, DataError

NAMES = corpora.names()
PUBLISHED = [name for name in NAMES if isinstance(corpora.get(name), PublishedCorpus)]


@dataclass(frozen=True)
class Replica:
    """A corpus's replica, what must come of it, and what came of it."""

    raw: Path
    expected: Expected
    prepared: Prepared


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Replica]:
    """The replica of a corpus, built and prepared once; tests that change anything work elsewhere."""

    @cache
    def made(name: str) -> Replica:
        folder = tmp_path_factory.mktemp(name)
        expected = import_module(f"replica_{name.replace('-', '_')}").build(folder / "raw")
        prepared = corpora.get(name).prepare(folder / "out", raw=folder / "raw", **expected.options)
        return Replica(folder / "raw", expected, prepared)

    return made


def value(example: Example, name: str) -> object:
    return getattr(example, name) if name in Example.__dataclass_fields__ else example.extra.get(name)


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_its_official_layout(name: str, replica: Callable[[str], Replica]) -> None:
    expected, prepared = replica(name).expected, replica(name).prepared
    manifest = read_manifest(prepared.path)
    assert dict(prepared.splits) == dict(expected.splits)
    assert (prepared.clips, prepared.missing) == (len(manifest), expected.missing)
    examples = {example.id: example for example in manifest}
    for own, says in expected.clips.items():
        assert own in examples, f"there are {list(examples)}"
        assert {field: value(examples[own], field) for field in says} == {
            field: tuple(said) if isinstance(said, list) and field in ("captions", "labels") else said
            for field, said in says.items()
        }


@pytest.mark.parametrize("name", NAMES)
def test_its_clips_can_be_heard_and_say_what_the_kind_promises(name: str, replica: Callable[[str], Replica]) -> None:
    info, manifest = corpora.get(name).info, replica(name).prepared.read()
    assert all(audio_info(example.audio).frames for example in manifest)
    if info.kind in ("captions", "both"):
        assert any(example.captions for example in manifest)
    if info.kind in ("labels", "both"):
        assert any(example.labels for example in manifest)
    if info.labels == "single":
        assert all(len(example.labels) <= 1 for example in manifest)
    if info.id_space:
        assert any(f"{info.id_space}_id" in example.extra for example in manifest)


@pytest.mark.parametrize("name", NAMES)
def test_preparing_again_gives_the_same_manifest(name: str, replica: Callable[[str], Replica]) -> None:
    raw, expected, first = replica(name).raw, replica(name).expected, replica(name).prepared
    before = first.path.read_bytes()
    again = corpora.get(name).prepare(first.path.parent, raw=raw, **expected.options)
    assert (again, again.path.read_bytes()) == (first, before)


@pytest.mark.parametrize("name", PUBLISHED)
def test_where_sound_is_missing_one_can_insist(name: str, tmp_path: Path, replica: Callable[[str], Replica]) -> None:
    raw, expected = replica(name).raw, replica(name).expected
    if not expected.missing:
        pytest.skip("its clips are the files that there are")
    with pytest.raises(DataError, match="missing=skip"):
        corpora.get(name).prepare(tmp_path, raw=raw, **{**expected.options, "missing": "fail"})
    assert not (tmp_path / "manifest.jsonl").exists()


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_its_files_it_says_how_to_get_them(name: str, tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(DataError, match=re.escape(name)) as caught:
            corpora.get(name).prepare(tmp_path / "out", raw=folder)
        assert "://" in str(caught.value) or "--set" in str(caught.value)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


@pytest.mark.parametrize("name", PUBLISHED)
def test_its_rows_are_made_one_at_a_time(name: str) -> None:
    assert inspect.isgeneratorfunction(corpora.get(name).rows)


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_option_that_it_does_not_have_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mising"):
        corpora.get(name).prepare(tmp_path, mising="skip")


@pytest.mark.parametrize("name", PUBLISHED)
def test_nothing_of_anybody_else_is_replaced(name: str, tmp_path: Path, replica: Callable[[str], Replica]) -> None:
    raw, expected = replica(name).raw, replica(name).expected
    (tmp_path / "manifest.jsonl").write_text('{"audio": "mine.wav"}\n')
    with pytest.raises(ConfigError, match="another folder"):
        corpora.get(name).prepare(tmp_path, raw=raw, **expected.options)
    assert (tmp_path / "manifest.jsonl").read_text() == '{"audio": "mine.wav"}\n'


@pytest.mark.parametrize("name", NAMES)
def test_its_info_is_complete(name: str) -> None:
    info = corpora.get(name).info
    assert info.name == name
    assert info.licence
    assert info.title
    assert set(info.overlaps) <= set(NAMES) - {name}
    assert (info.access == "download") <= bool(info.files)
    assert (info.access == "by-hand") <= bool(info.instructions)
    assert info.access == "generated" or info.url or info.instructions
    for file in info.files:
        assert re.match(r"(https?|file)://", file.url)
        assert not Path(file.name).is_absolute()
        assert file.md5 is None or re.fullmatch("[0-9a-f]{32}", file.md5)
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
