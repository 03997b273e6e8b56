"""Retrieval in both directions, with many and with shared captions."""

from __future__ import annotations

import numpy as np
import pytest

from openclap.evaluation.retrieval import examples, score_both_ways, text_index


def test_a_perfect_model_gets_everything_and_a_reversed_one_nothing() -> None:
    _, relevant = text_index([[f"text {clip} {i}" for i in range(5)] for clip in range(30)])
    perfect = score_both_ways(relevant.astype(float), relevant)
    assert all(score.value == 1 for key, score in perfect.items() if "map" in key or "_r" in key)
    assert perfect["a2t_median_rank"].value == perfect["t2a_median_rank"].value == 1
    reversed_ = score_both_ways(-relevant.astype(float), relevant)
    assert all(score.value == 0 for score in reversed_.values() if score.unit == "share")


def test_a_model_that_knows_nothing_gets_chance_and_its_interval_is_not_above_it() -> None:
    _, relevant = text_index([[f"text {clip} {i}" for i in range(5)] for clip in range(30)])
    for score in score_both_ways(np.zeros(relevant.shape), relevant).values():
        if score.unit == "share":
            assert score.value == pytest.approx(score.chance)
        assert not score.beats_chance


def test_random_similarities_do_not_beat_chance() -> None:
    _, relevant = text_index([[f"text {clip}"] for clip in range(100)])
    scores = score_both_ways(np.random.default_rng(0).standard_normal(relevant.shape), relevant)
    assert sum(score.beats_chance for score in scores.values()) <= 1  # ten intervals of 95 %


def test_a_shared_caption_is_right_for_all_its_clips() -> None:
    texts, relevant = text_index([["rain", "a"], ["rain", "b"], ["wind"]])
    assert texts == ["rain", "a", "b", "wind"]
    similarities = np.array([[0.9, 0.1, 0.2, 0.3], [0.8, 0.1, 0.2, 0.3], [0.1, 0.2, 0.3, 0.9]])
    scores = score_both_ways(similarities, relevant)
    assert scores["a2t_r1"].value == 1
    assert scores["t2a_r1"].n == 4
    # "a" finds its clip on rank 2 or 3, tied with another: half of 1/2 + 1/3. So does "b".
    assert scores["t2a_map10"].value == pytest.approx(np.mean([1, 5 / 12, 5 / 12, 1]))


def test_each_direction_ranks_along_its_own_axis() -> None:
    similarities = np.array([[0.5, 0.9], [0.4, 0.8]])  # both clips choose text 1; both texts choose clip 0
    scores = score_both_ways(similarities, np.eye(2, dtype=bool))
    assert (scores["a2t_r1"].value, scores["t2a_r1"].value) == (0.5, 0.5)
    similarities = np.array([[0.9, 0.95], [0.1, 0.96]])
    scores = score_both_ways(similarities, np.eye(2, dtype=bool))
    assert (scores["a2t_r1"].value, scores["t2a_r1"].value) == (0.5, 1.0)


def test_intervals_hold_the_value_and_follow_the_clips() -> None:
    rng = np.random.default_rng(5)
    _, relevant = text_index([[f"{clip} {i}" for i in range(3)] for clip in range(60)])
    similarities = relevant + rng.standard_normal(relevant.shape) * 0.6
    for score in score_both_ways(similarities, relevant).values():
        assert score.low <= score.value <= score.high
    # Three captions that stand or fall together carry no more evidence than one: the interval must not shrink.
    together = np.repeat(rng.standard_normal((60, 60)) + 2 * np.eye(60), 3, axis=1)
    alone = score_both_ways(together[:, ::3], np.eye(60, dtype=bool))["t2a_r1"]
    tripled = score_both_ways(together, relevant)["t2a_r1"]
    assert tripled.value == pytest.approx(alone.value)
    assert tripled.high - tripled.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_examples_list_the_best_texts_and_the_rank_of_the_right_one() -> None:
    texts, relevant = text_index([["a"], ["b"], ["c"]])
    similarities = np.array([[0.1, 0.2, 0.3], [0.1, 0.9, 0.2], [0.5, 0.4, 0.6]])
    listed = examples(similarities, relevant, texts, ["x", "y", "z"], keep=2)
    assert [entry["id"] for entry in listed] == ["x", "z"]
    assert listed[0]["rank"] == 3
    assert listed[0]["best"][0] == {"text": "c", "score": 0.3, "right": False}
    assert listed[1]["best"][0]["right"]
