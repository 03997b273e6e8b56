"""In-batch accuracy and means."""

from __future__ import annotations

import pytest
import torch

from openclap.training.metrics import in_batch_accuracy, negative_accuracy, weighted_mean
from openclap.types import ClapOutput, NegativeOutput


def test_pairs_that_are_nearest_to_each_other_are_all_right():
    audio, text = in_batch_accuracy(torch.eye(4), torch.eye(4), torch.arange(4))
    assert audio == text == 1


def test_two_clips_that_swap_their_texts_are_wrong_both_ways():
    audio, text = in_batch_accuracy(torch.eye(4), torch.eye(4)[[1, 0, 2, 3]], torch.arange(4))
    assert audio == text == 0.5


def test_the_two_directions_are_told_apart():
    audio_embeds = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    text_embeds = torch.tensor([[1.0, 0.0], [0.96, 0.28]])
    # Cosines: clip 0 has 1.00 and 0.96, clip 1 has 0.80 and 0.936. Text 1 is nearer to clip 0 than to its own.
    audio, text = in_batch_accuracy(audio_embeds, text_embeds, torch.arange(2))
    assert (audio, text) == (1.0, 0.5)


def test_a_caption_that_two_clips_share_is_right_for_both():
    embeds = torch.eye(2)
    audio, text = in_batch_accuracy(embeds, embeds[[1, 0]], torch.tensor([7, 7]))
    assert audio == text == 1


def test_a_mean_weighs_rows_by_their_clips():
    assert weighted_mean([(3, {"loss": 1.0}), (1, {"loss": 5.0})]) == {"loss": 2.0}
    assert weighted_mean([]) == {}


def test_a_mean_is_over_the_rows_that_have_the_value():
    rows = [(3, {"loss": 1.0, "negative_accuracy": 0.5}), (1, {"loss": 5.0}), (1, {"negative_accuracy": 1.0})]
    assert weighted_mean(rows) == {"loss": 2.0, "negative_accuracy": 0.625}


def test_a_clip_that_prefers_its_text_to_two_of_three_negatives_has_two_thirds():
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    output = ClapOutput(torch.eye(2), torch.tensor([[0.6, 0.8], [0.6, 0.8]]), one, zero)
    wrong = torch.tensor([[0.0, 1.0], [0.8, 0.6], [1.0, 0.0]])  # cosines 0, 0.8 with clip 0; 0 with clip 1
    assert negative_accuracy(output, NegativeOutput(wrong, torch.tensor([0, 0, 1]))) == pytest.approx(2 / 3)
