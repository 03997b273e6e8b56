"""Which text a clip gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.policy import (
    CaptionPolicyConfig,
    all_captions,
    caption_sources,
    check_captions,
    choose_caption,
    choose_negatives,
    training_texts,
)
from openclap.errors import ConfigError, DataError

BOTH = Example("x", Path("x.wav"), captions=("first", "second"), labels=("dog", "rain"))
PLAIN = CaptionPolicyConfig()


def draws(example: Example, config: CaptionPolicyConfig, count: int = 400) -> list[str]:
    generator = torch.Generator().manual_seed(1)
    return [choose_caption(example, config, generator) for _ in range(count)]


def test_without_a_generator_the_first_caption_is_taken() -> None:
    assert choose_caption(BOTH, CaptionPolicyConfig(p_labels=1.0), None) == "first"


def test_with_one_every_caption_has_its_turn() -> None:
    share = draws(BOTH, PLAIN).count("first") / 400
    assert 0.4 < share < 0.6  # four standard deviations of 400 fair draws


def test_a_clip_with_only_labels_gets_a_sentence_made_of_them() -> None:
    example = Example("x", Path("x.wav"), labels=("a", "b", "c"))
    assert all_captions(example) == ("The sound of a, b, and c",)
    assert set(draws(example, PLAIN, 5)) == {"The sound of a, b, and c"}


@pytest.mark.parametrize("p_labels", [0.0, 0.3, 1.0])
def test_p_labels_is_how_often_labels_replace_captions(p_labels: float) -> None:
    share = draws(BOTH, CaptionPolicyConfig(p_labels=p_labels)).count("The sound of dog and rain") / 400
    assert abs(share - p_labels) <= 4 * (p_labels * (1 - p_labels) / 400) ** 0.5


def test_p_labels_does_not_change_which_captions_the_other_draws_take() -> None:
    mixed = draws(BOTH, CaptionPolicyConfig(p_labels=0.3))
    assert all(ours == plain for ours, plain in zip(mixed, draws(BOTH, PLAIN), strict=True) if "sound" not in ours)


def test_captions_alone_are_never_replaced_by_labels_that_are_not_there() -> None:
    example = Example("x", Path("x.wav"), captions=("first",))
    assert set(draws(example, CaptionPolicyConfig(p_labels=1.0), 5)) == {"first"}


def test_a_clip_without_text_is_an_error() -> None:
    with pytest.raises(DataError, match="clip x has neither a caption nor a label"):
        choose_caption(Example("x", Path("x.wav")), PLAIN, None)


def test_cleaning_is_off_unless_asked_for() -> None:
    example = Example("x", Path("x.wav"), captions=("dog_01.wav", "dog_02.wav"))
    assert all_captions(example) == ("dog_01.wav", "dog_02.wav")
    assert all_captions(example, CaptionPolicyConfig(clean_titles=True)) == ("dog",)
    assert set(draws(example, CaptionPolicyConfig(clean_titles=True), 5)) == {"dog"}


LABEL_CAPTION = "The sound of dog and rain"
RICH = Example(
    "x",
    Path("x.wav"),
    captions=("a man shouts", "rain"),
    labels=("dog", "rain"),
    made=(
        MadeCaption("a dog in the rain", "k2c", of=("dog", "rain")),
        MadeCaption("a wet dog", "k2c", of=("dog", "rain")),
        MadeCaption("heavy drops patter", "paraphrase", of=("rain",)),
    ),
)
DEBIASED = MadeCaption("a person shouts", "debias", of=("a man shouts",), replaces=True)


def weighted(**weights: float) -> CaptionPolicyConfig:
    return CaptionPolicyConfig(weights=weights)


class TestWeights:
    def test_are_how_often_each_source_is_drawn_and_its_captions_are_drawn_evenly(self) -> None:
        weights = {"original": 1.0, "labels": 2.0, "k2c": 4.0, "paraphrase": 1.0}
        expected = {
            "a man shouts": 1 / 16,
            "rain": 1 / 16,
            LABEL_CAPTION: 1 / 4,
            "a dog in the rain": 1 / 4,
            "a wet dog": 1 / 4,
            "heavy drops patter": 1 / 8,
        }
        found = draws(RICH, weighted(**weights), 4000)
        assert set(found) == set(expected)
        for text, share in expected.items():
            assert abs(found.count(text) / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5

    def test_are_shared_among_the_sources_that_a_clip_has(self) -> None:
        share = draws(BOTH, weighted(original=1, labels=1, k2c=98)).count(LABEL_CAPTION) / 400
        assert 0.4 < share < 0.6

    def test_original_and_paraphrase_are_the_two_sides_of_reclaps_mixing(self) -> None:
        share = draws(RICH, weighted(original=0.4, paraphrase=0.6), 1000).count("heavy drops patter") / 1000
        assert abs(share - 0.6) < 4 * (0.24 / 1000) ** 0.5

    def test_the_order_in_which_they_are_written_is_of_no_matter(self) -> None:
        assert draws(RICH, weighted(labels=1, k2c=2)) == draws(RICH, weighted(k2c=2, labels=1))

    def test_of_zero_are_never_drawn(self) -> None:
        assert set(draws(RICH, weighted(original=0, labels=1))) == {LABEL_CAPTION}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"weights": {"labels": 1}, "p_labels": 0.5}, "p_labels is 0.5, but with weights .* set p_labels to 0"),
            ({"weights": {"labels": -1}}, "must not be negative"),
            ({"weights": {"labels": 0}}, "one must be above 0"),
        ],
    )
    def test_that_contradict_are_refused(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            CaptionPolicyConfig.read(settings)

    def test_of_a_source_that_no_clip_has_are_refused_with_those_that_there_are(self) -> None:
        with pytest.raises(DataError, match=r"'k2d', but no clip .* original \(2 clips\), k2c \(1 clips\), .*labels"):
            check_captions([RICH, BOTH], weighted(original=1, k2d=1))

    def test_that_leave_a_clip_without_a_text_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"1 of 2 clips have no caption of the sources .* \(y, …\): leave them out"):
            check_captions([RICH, Example("y", Path("y.wav"), labels=("dog",))], weighted(original=1, k2c=1))
        check_captions([RICH, Example("y", Path("y.wav"), labels=("dog",))], weighted(original=1, labels=1e-9))
        with pytest.raises(DataError, match=r"clip x has no caption of .* \(k2c\), but of original, labels"):
            draws(BOTH, weighted(k2c=1), 1)


class TestReplacedCaptions:
    def test_are_not_used_any_more_and_leave_their_place_and_source_to_what_stands_for_them(self) -> None:
        example = replace(RICH, made=(*RICH.made, DEBIASED))
        sources = caption_sources(example, PLAIN)
        assert sources["original"] == ("rain", "a person shouts")
        assert "debias" not in sources
        assert set(draws(example, PLAIN)) == {"rain", "a person shouts"}
        assert "a man shouts" not in draws(example, weighted(original=1))

    def test_are_not_used_either_where_their_maker_has_a_weight_of_its_own(self) -> None:
        example = replace(RICH, made=(*RICH.made, DEBIASED))
        assert set(draws(example, weighted(original=1, debias=1))) == {"rain", "a person shouts"}
        assert set(draws(example, weighted(original=1, debias=0))) == {"rain"}

    def test_that_were_made_leave_their_source_too(self) -> None:
        again = MadeCaption("a wet animal", "debias", of=("a wet dog",), replaces=True)
        example = replace(RICH, made=(*RICH.made, again))
        assert set(draws(example, weighted(k2c=1))) == {"a dog in the rain", "a wet animal"}

    def test_are_what_a_clip_is_evaluated_with_all_the_same(self) -> None:
        assert all_captions(replace(RICH, made=(DEBIASED,))) == ("a man shouts", "rain")


class TestWithoutWeights:
    def test_made_captions_are_drawn_only_where_people_wrote_none(self) -> None:
        assert set(draws(RICH, PLAIN)) == {"a man shouts", "rain"}
        alone = replace(RICH, captions=())
        assert set(draws(alone, PLAIN)) == {"a dog in the rain", "a wet dog", "heavy drops patter"}

    def test_and_without_made_captions_the_draws_are_what_they_always_were(self) -> None:
        # Written down before captions had sources: runs of that time are repeated and resumed.
        expected = ["second", "first", "labels", "second", "first", "second", "second", "first"]
        names = {"The sound of dog and rain": "labels"}
        assert [names.get(text, text) for text in draws(BOTH, CaptionPolicyConfig(p_labels=0.3), 8)] == expected


def test_evaluation_never_asks_for_what_was_made() -> None:
    assert all_captions(replace(RICH, captions=())) == (LABEL_CAPTION,)
    with pytest.raises(DataError, match="neither"):
        all_captions(replace(RICH, captions=(), labels=()))


def test_a_tokenizer_learns_from_all_that_training_may_read() -> None:
    assert training_texts(RICH) == ("a man shouts", "rain")
    negative = NegativeCaption("rain, then a man shouts", "order", of="rain", maker="negatives")
    example = replace(RICH, negatives=(negative,))
    read = training_texts(example, CaptionPolicyConfig(weights={"k2c": 1, "labels": 1}, negatives=1))
    assert sorted(read) == sorted(["a dog in the rain", "a wet dog", LABEL_CAPTION, negative.text])


class TestNegatives:
    TWO = CaptionPolicyConfig(negatives=2)

    @staticmethod
    def drawn(example: Example, caption: str, config: CaptionPolicyConfig = TWO, seed: int = 0) -> tuple[str, ...]:
        return choose_negatives(example, caption, config, torch.Generator().manual_seed(seed))

    @staticmethod
    def twisted(*pairs: tuple[str, str]) -> Example:
        negatives = tuple(NegativeCaption(text, "order", of, "negatives") for text, of in pairs)
        return replace(BOTH, negatives=negatives)

    def test_are_those_of_the_caption_and_without_such_the_clips(self) -> None:
        example = self.twisted(("not first", "first"), ("never first", "first"), ("not second", "second"))
        assert set(self.drawn(example, "first")) == {"not first", "never first"}
        assert self.drawn(example, "second") == ("not second",)
        seen = {text for seed in range(20) for text in self.drawn(example, LABEL_CAPTION, seed=seed)}
        assert seen == {"not first", "never first", "not second"}

    def test_are_found_for_a_title_whose_file_name_became_words(self) -> None:
        example = replace(self.twisted(("a cat", "dog_01.wav"), ("other", "second")), captions=("dog_01.wav", "second"))
        config = CaptionPolicyConfig(negatives=2, clean_titles=True)
        assert self.drawn(example, "dog", config) == ("a cat",)

    def test_are_never_equal_to_a_caption_of_the_clip(self) -> None:
        made = (MadeCaption("a wet dog", "k2c"),)
        example = self.twisted(("Second ", "first"), ("A wet dog", "first"), (LABEL_CAPTION, "first"), ("no", "first"))
        assert self.drawn(replace(example, made=made), "first") == ("no",)

    def test_are_at_most_as_many_as_asked_for_and_none_where_there_are_none(self) -> None:
        example = self.twisted(*((f"not {n}", "first") for n in range(9)))
        assert len(set(self.drawn(example, "first"))) == 2
        assert self.drawn(BOTH, "first") == ()

    def test_that_no_clip_has_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"captions.negatives is 2, but no clip .*openclap captions make negatives"):
            check_captions([BOTH], self.TWO)
