"""Tasks run on any manifest, with anything that embeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openclap.data.manifest import Manifest
from openclap.errors import ConfigError, EvaluationError, UnknownNameError
from openclap.evaluation.encode import Encoder, similarity
from openclap.evaluation.task import evaluate, tasks
from openclap.types import Waveform

BOTH: dict[str, dict[str, Any]] = {"retrieval": {}, "zero-shot": {}}


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_states_its_protocol_and_runs_with_default_settings(
    name: str, manifest: Manifest, oracle: Callable[..., Any]
) -> None:
    task = tasks.get(name)
    assert (task.name, task.version >= 1) == (name, True)
    assert len(task.protocol) > 100
    [result] = evaluate(oracle(), manifest, [name])
    assert result.clips == 24
    assert result.settings == task.config().plain()
    assert all(score.low <= score.value <= score.high for score in result.scores.values())


def test_a_good_model_scores_well_and_a_deaf_one_gets_chance(
    manifest: Manifest, oracle: Callable[..., Any], deaf: Any
) -> None:
    for good, poor in zip(evaluate(oracle(), manifest, BOTH), evaluate(deaf, manifest, BOTH), strict=True):
        for key, score in good.scores.items():
            assert score.beats_chance, key
            chance = poor.scores[key]
            if chance.unit == "share":
                assert chance.value == pytest.approx(chance.chance), key


def test_each_clip_and_each_text_is_embedded_once(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    model = oracle()
    encoder = Encoder(model)
    evaluate(encoder, manifest, BOTH)
    evaluate(encoder, manifest, BOTH)
    assert len(model.heard) == len(set(model.heard)) == 24
    assert len(model.read) == len(set(model.read))


def test_filters_choose_the_clips_and_change_the_digest(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    [everything] = evaluate(oracle(), manifest, ["zero-shot"])
    [some] = evaluate(oracle(), manifest, {"zero-shot": {"where": {"kind": "single"}}})
    assert some.clips == 12
    assert some.data["digest"] != everything.data["digest"]
    with pytest.raises(EvaluationError, match="zero-shot"):
        evaluate(oracle(), manifest, {"zero-shot": {"where": {"split": "train"}}})


def test_retrieval_of_first_captions_uses_one_a_clip(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    [written] = evaluate(oracle(), manifest, ["retrieval"])
    [first] = evaluate(oracle(), manifest, {"retrieval": {"captions": "first"}})
    assert written.details["texts"] == 24 + 3  # the shared ones count once
    assert first.details["texts"] == 24


def test_clips_with_labels_only_are_left_out_unless_asked_for(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    bare = [replace(example, captions=()) if place % 2 else example for place, example in enumerate(manifest)]
    mixed = replace(manifest, examples=tuple(bare))
    [written] = evaluate(oracle(), mixed, ["retrieval"])
    [every] = evaluate(oracle(), mixed, {"retrieval": {"captions": "any"}})
    assert (written.clips, every.clips) == (12, 24)
    none = replace(manifest, examples=tuple(replace(example, captions=()) for example in manifest))
    with pytest.raises(EvaluationError, match="captions=any"):
        evaluate(oracle(), none, ["retrieval"])


def test_file_names_can_be_read_as_words(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    named = tuple(
        replace(example, captions=(f"{example.labels[0]}_bark_{i}.wav",)) for i, example in enumerate(manifest)
    )
    titles = replace(manifest, examples=named)
    [raw] = evaluate(oracle(), titles, ["retrieval"])
    [clean] = evaluate(oracle(), titles, {"retrieval": {"clean_titles": True}})
    assert raw.details["examples"][0]["captions"] == ["dog_bark_0.wav"]
    assert "_" not in clean.details["examples"][0]["captions"][0]


def test_zero_shot_reads_labels_from_any_column(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    [result] = evaluate(oracle(), manifest, {"zero-shot": {"label_field": "kind", "prompts": "plain"}})
    assert result.details["classes"] == ["scene", "single"]
    assert result.settings["label_field"] == "kind"


def test_clips_with_several_labels_are_scored_as_multi_label(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    several = tuple(
        replace(example, labels=(*example.labels, "noise")) if place % 2 else example
        for place, example in enumerate(manifest)
    )
    mixed = replace(manifest, examples=several)
    [result] = evaluate(oracle(), mixed, ["zero-shot"])
    assert list(result.scores) == ["map"]
    assert "confusion" not in result.details
    with pytest.raises(EvaluationError, match=r"12 clips have several labels, the first of them 01\.wav"):
        evaluate(oracle(), mixed, {"zero-shot": {"mode": "single-label"}})
    chosen = {"zero-shot": {"classes": ["dog", "rain", "bell"], "mode": "single-label"}}
    assert evaluate(oracle(), mixed, chosen)[0].scores["top1"].n == 24


def test_mistakes_are_named_before_anything_is_embedded(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    model = oracle()
    with pytest.raises(UnknownNameError, match="'retrieval'"):
        evaluate(model, manifest, ["retrieval", "retreival"])
    with pytest.raises(ConfigError, match="prompts"):
        evaluate(model, manifest, {"retrieval": {}, "zero-shot": {"promts": "laion"}})
    with pytest.raises(ConfigError, match="laoin"):
        evaluate(model, manifest, {"retrieval": {}, "zero-shot": {"prompts": "laoin"}})
    with pytest.raises(ConfigError, match="each class once; dog"):
        evaluate(model, manifest, {"retrieval": {}, "zero-shot": {"classes": ["dog", "dog"]}})
    assert model.heard == []


def test_a_task_that_cannot_be_done_stops_the_others_before_anything_is_embedded(
    manifest: Manifest, oracle: Callable[..., Any]
) -> None:
    model = oracle()
    unlabelled = replace(manifest, examples=tuple(replace(example, labels=()) for example in manifest))
    with pytest.raises(EvaluationError, match="0 clips of 0 classes"):
        evaluate(model, unlabelled, BOTH)
    assert model.heard == []


def test_a_model_without_texts_is_refused_before_anything_is_embedded(
    manifest: Manifest, oracle: Callable[..., Any]
) -> None:
    model = oracle()
    model.has_text = False
    for name in tasks.names():
        with pytest.raises(EvaluationError, match=f"task {name} compares sounds with texts, but .* no text tower"):
            evaluate(model, manifest, [name])
    assert model.heard == []


def test_a_model_that_gives_nan_or_a_wrong_shape_is_refused(manifest: Manifest, deaf: Any) -> None:
    class Broken:
        def embed_audio(self, sources: Any) -> np.ndarray:
            return np.full((len(sources), 4), np.nan)

        def embed_text(self, texts: Any) -> np.ndarray:
            return np.ones((len(texts) + 1, 4))

    encoder = Encoder(Broken())
    with pytest.raises(EvaluationError, match="not finite"):
        encoder.audio(manifest.examples)
    with pytest.raises(EvaluationError, match=r"shape \(3, 4\) for 2 inputs"):
        encoder.text(["a", "b"])


def test_a_part_of_a_file_is_decoded_and_another_part_is_another_clip(manifest: Manifest) -> None:
    given: list[Any] = []

    class Listens:
        def embed_audio(self, sources: Any) -> np.ndarray:
            given.extend(sources)
            return np.ones((len(sources), 2))

        def embed_text(self, texts: Any) -> np.ndarray:
            return np.ones((len(texts), 2))

    whole = manifest.examples[0]
    parts = [replace(whole, start_s=start_s, duration_s=0.1) for start_s in (0.0, 0.1)]
    Encoder(Listens()).audio([whole, *parts, parts[0]])
    assert isinstance(given[0], Path)
    assert all(isinstance(part, Waveform) and part.duration_s == pytest.approx(0.1) for part in given[1:])
    assert len(given) == 3


def test_similarities_finer_than_six_decimals_are_ties() -> None:
    audio = np.array([[1.0, 0.0]], dtype=np.float32)
    text = np.array([[0.5, 0.1], [0.5 + 1e-7, 0.2]], dtype=np.float32)
    first, second = similarity(audio, text)[0]
    assert first == second


def test_the_model_is_named_in_the_result(manifest: Manifest, oracle: Callable[..., Any]) -> None:
    [result] = evaluate(oracle(), manifest, ["retrieval"], model_path="runs/x")
    assert result.model == {"identity": "oracle-1", "path": "runs/x"}
    assert set(result.versions) == {"openclap", "python", "torch", "numpy"}
