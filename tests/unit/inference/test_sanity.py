"""A healthy model is met with silence; each way of being broken is named."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import openclap
from openclap.checkpoints.native import Bundle, save_bundle
from openclap.checkpoints.pretrained_text import TextInit, load_text
from openclap.errors import CheckpointError, SanityWarning
from openclap.inference import sanity
from openclap.inference.embedder import Embedder
from openclap.models.zoo import text_encoders
from openclap.recipes.starter import MINILM

DIM = 256


@dataclass
class Model:
    """Stands in for an embedder: gives vectors chosen beforehand."""

    texts: np.ndarray
    sounds: np.ndarray
    logit_scale: float = 2.66
    name: str = "model"
    sample_rate_hz: int = 16_000
    has_text: bool = True

    @property
    def embed_dim(self) -> int:
        return self.texts.shape[1]

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        assert len(texts) == (len(self.texts) if self.has_text else 0)
        return self.texts[: len(texts)]

    def embed_audio(self, clips: Sequence[np.ndarray], *, sample_rate_hz: int) -> np.ndarray:
        assert len(clips) == len(self.sounds)
        assert sample_rate_hz == self.sample_rate_hz
        return self.sounds


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def healthy() -> Model:
    """Subjects and sounds in one space of 20 directions among 256; paraphrases side by side, and so the two noises."""
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.standard_normal((DIM, 20)))[0].T
    subjects = generator.standard_normal((4, 20)) @ directions
    texts = np.repeat(subjects, 2, axis=0) + 0.5 * generator.standard_normal((8, 20)) @ directions
    noise, tone, clicks = generator.standard_normal((3, 20)) @ directions
    sounds = np.stack([noise, noise + 0.3 * generator.standard_normal(20) @ directions, tone, clicks])
    return Model(unit(texts), unit(sounds))


def failed(model: Model | Embedder) -> set[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sanity.warn_of(model)  # type: ignore[arg-type]
    assert all(warning.category is SanityWarning for warning in caught)
    return {warning.message.check for warning in caught}  # type: ignore[union-attr]


def test_a_healthy_model_is_met_with_silence(healthy: Model) -> None:
    assert failed(healthy) == set()
    assert len(sanity.answers(healthy)) == 7  # type: ignore[arg-type]


def test_a_model_of_sound_alone_is_asked_for_finite_vectors_and_no_more(healthy: Model) -> None:
    checks = [answer.check for answer in sanity.answers(replace(healthy, has_text=False))]  # type: ignore[arg-type]
    assert checks == ["finite"]


def test_texts_that_all_give_one_vector_are_a_collapse(healthy: Model) -> None:
    # A public checkpoint was seen with a mean cosine of 0.9993 between unrelated captions.
    nearly_one = unit(healthy.texts[:1] + 0.02 * healthy.texts)
    assert "text-collapse" in failed(replace(healthy, texts=nearly_one))


def test_sounds_that_all_give_one_vector_are_a_collapse(healthy: Model) -> None:
    assert "audio-collapse" in failed(replace(healthy, sounds=unit(healthy.sounds[:1] + 0.02 * healthy.sounds)))


def test_captions_sorted_by_their_form_alone_are_out_of_rank(healthy: Model) -> None:
    forms = np.tile(healthy.sounds[1:3], (4, 1))  # what an untrained tower sees: "someone is …" beside "someone is …"
    assert failed(replace(healthy, texts=unit(healthy.texts + 2 * forms))) == {"text-ranks"}


def test_noises_next_to_tones_are_out_of_rank(healthy: Model) -> None:
    assert failed(replace(healthy, sounds=healthy.sounds[[0, 2, 1, 3]])) == {"audio-ranks"}


def test_towers_of_two_models_share_no_space(healthy: Model) -> None:
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((DIM, DIM)))[0].astype(np.float32)
    assert failed(replace(healthy, texts=healthy.texts @ turned)) == {"shared-space"}


@pytest.mark.parametrize("scale", [14.3, 100.0, -1.0])
def test_a_scale_that_is_no_logarithm_is_named(healthy: Model, scale: float) -> None:
    assert failed(replace(healthy, logit_scale=scale)) == {"logit-scale"}


@pytest.mark.parametrize("scale", [0.0, np.log(10), np.log(1 / 0.07), np.log(100)])
def test_the_scales_that_models_start_and_end_with_are_sane(healthy: Model, scale: float) -> None:
    assert failed(replace(healthy, logit_scale=scale)) == set()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_vectors_that_are_none_are_named_and_nothing_else_is_said(healthy: Model, value: float) -> None:
    broken = healthy.texts.copy()
    broken[3] = value
    assert failed(replace(healthy, texts=broken)) == {"finite"}
    assert failed(replace(healthy, logit_scale=np.nan)) == {"finite"}


def test_a_warning_says_the_model_the_check_the_figure_and_what_to_do(healthy: Model) -> None:
    with pytest.warns(SanityWarning, match=r"model: check 'text-collapse' failed: 1, where at most 0\.95") as caught:
        sanity.warn_of(replace(healthy, texts=np.repeat(healthy.texts[:1], 8, axis=0)))  # type: ignore[arg-type]
    assert "use other weights" in str(caught[0].message)


def broken_text(bundle: Bundle) -> None:
    norms = [part for part in bundle.model.text_encoder.modules() if isinstance(part, torch.nn.LayerNorm)]
    torch.nn.init.zeros_(norms[-1].weight)


def broken_audio(bundle: Bundle) -> None:
    norms = [part for part in bundle.model.audio_encoder.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    norms = norms or [part for part in bundle.model.audio_encoder.modules() if isinstance(part, torch.nn.BatchNorm1d)]
    torch.nn.init.zeros_(norms[0].weight)


def broken_scale(bundle: Bundle) -> None:
    torch.nn.init.constant_(bundle.model.logit_scale, float("nan"))


def dead_projection(bundle: Bundle) -> None:
    for parameter in bundle.model.text_projection.parameters():
        torch.nn.init.zeros_(parameter)


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (broken_text, "text-collapse"),
        (broken_audio, "audio-collapse"),
        (broken_scale, "finite"),
        (dead_projection, "finite"),
    ],
)
def test_a_real_model_with_a_broken_part_fails_the_check_of_that_part(
    bundle: Bundle, damage: Callable[[Bundle], None], check: str
) -> None:
    broken = replace(bundle, model=deepcopy(bundle.model))
    damage(broken)
    assert check in failed(Embedder.from_bundle(broken))


def test_random_weights_are_noticed_at_load_unless_asked_not_to(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    with pytest.warns(SanityWarning, match="tiny: check"):
        openclap.load(saved)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        openclap.load(saved, check=False)


def test_asking_changes_nothing(bundle: Bundle) -> None:
    state = torch.random.get_rng_state()
    embedder = Embedder.from_bundle(bundle)
    first = [str(answer) for answer in sanity.answers(embedder)]
    assert first == [str(answer) for answer in sanity.answers(embedder)]
    assert torch.random.get_rng_state().equal(state)


def test_the_captions_are_ranked_by_a_tower_that_knows_english_and_by_no_other() -> None:
    try:
        text = load_text(TextInit(source=MINILM))
    except CheckpointError as error:
        pytest.skip(f"no pretrained text encoder: {error}")
    torch.manual_seed(0)
    encoder = cast("torch.nn.Module", text_encoders.get(text.encoder.name)(**text.encoder.options)).eval()
    batch = text.tokenizer([caption for pair in sanity.CAPTIONS for caption in pair])
    figures = []
    for state in (encoder.state_dict(), text.state):
        encoder.load_state_dict(dict(state))
        with torch.inference_mode():
            vectors = unit(encoder(batch.input_ids, batch.attention_mask).pooled.numpy())
        figures.append({answer.check: answer for answer in sanity.of_text(vectors)})
    random, trained = figures
    assert trained["text-ranks"].value > 0.9
    assert not random["text-ranks"].passed
    assert trained["text-collapse"].value < 0.5 < random["text-collapse"].value
