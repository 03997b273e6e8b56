"""A model hears from shards what it hears from the files: vectors, commands and scores are the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

import openclap
from openclap.cli.app import run
from openclap.data.manifest import read_manifest


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory):
    """The corpus, which is 16-bit mono at 16 kHz, in FLAC shards of that rate."""
    out = tmp_path_factory.mktemp("shards") / "soundscapes"
    options = ["--rate-hz", "16000", "--clips-per-shard", "6", "--workers", "1"]
    assert run(["data", "shard", str(corpus), "--out", str(out), *options]) == 0
    return out


def test_vectors_of_shards_are_those_of_the_files_bit_for_bit(corpus, shards, model):
    embedder = openclap.load(model)
    files, members = (read_manifest(place, where={"split": "test"}).examples for place in (corpus, shards))
    assert [clip.id for clip in members] == [clip.id for clip in files]
    heard = [embedder.embed_audio([clip.audio for clip in clips]) for clips in (files, members)]
    assert np.array_equal(*heard)


def test_scores_are_the_same_too(corpus, shards, model, capsys):
    scores = []
    for place in (corpus, shards):
        capsys.readouterr()
        assert run(["eval", model, "retrieval", "--data", str(place), "--where", "split=test", "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["results"][0]["scores"])
    assert scores[0] == scores[1]


def test_embed_takes_shards_and_goes_on_by_their_members(shards, model, tmp_path):
    assert run(["embed", model, str(shards), "--out", str(tmp_path / "vectors.npz")]) == 0
    paths = np.load(tmp_path / "vectors.npz")["path"].tolist()
    assert paths == [str(clip.audio) for clip in read_manifest(shards)]
