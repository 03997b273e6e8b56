"""Sentences made of labels by a T5: a tiny one, with random weights and a tokenizer of its own."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from openclap.captions.seq2seq import Seq2Seq, WritingOptions
from openclap.captions.stage import Made, Stage, stages
from openclap.data.example import Example
from openclap.errors import CaptionError, ConfigError

WORDS = (
    "a an the dog barks bark rain falls wind in and while car horn honks engine bird sings of sound water runs thunder "
    "rolls clock ticks cat meows person speaks |"
)
TEXTS = [
    "dog bark rain",
    "car horn",
    "bird",
    "wind thunder rain water cat",
    "clock ticks dog",
    "engine",
    "cat dog rain",
]
OPEN = {"kept": 0.0, "invented": 1.0, "min_words": 1, "language": "any"}
QUICK = {"beams": 1, "max_new_tokens": 5, "no_repeat_ngram": 1}


def write_t5(folder: Path, *, words: str = WORDS, size: int | None = None, weights_as: str = "safetensors") -> Path:
    """A T5 of random weights that knows these words, as its own classes write it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    vocabulary = {token: place for place, token in enumerate(["<pad>", "</s>", "<unk>", *dict.fromkeys(words.split())])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=size or len(vocabulary), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
            decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    with torch.no_grad():  # random weights of the usual size would write the same whatever they read
        for weights in model.parameters():
            weights.normal_(0, 0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if weights_as == "pickle":
        torch.save(load_file(folder / "model.safetensors") | {}, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_t5(tmp_path_factory.mktemp("t5") / "tiny")


def built(folder: Path, **options: Any) -> Stage:
    return stages.get("k2c")(**{"model": str(folder), "device": "cpu", "writing": QUICK, "gates": OPEN} | options)


def clip(name: str, *labels: str, seconds: float | None = 5.0) -> Example:
    extra = {} if seconds is None else {"seconds": seconds}
    return Example(name, Path(f"{name}.wav"), labels=labels, extra=extra)


@pytest.mark.parametrize(
    "options",
    [WritingOptions(max_new_tokens=6, beams=3), WritingOptions(max_new_tokens=6, temperature=1.0)],
    ids=["beams", "drawn"],
)
def test_a_text_is_the_same_in_whatever_batch(t5: Path, options: WritingOptions) -> None:
    draws = [str(number) for number in range(len(TEXTS))]
    alone, together = (Seq2Seq(str(t5), None, "cpu", options, size).write(TEXTS, draws) for size in (1, 5))
    backwards = Seq2Seq(str(t5), None, "cpu", options, 3).write(TEXTS[::-1], draws[::-1])
    assert alone == together == backwards[::-1]
    assert len(set(alone)) > 3, "the model reads what it is given"


def test_draws_come_from_the_seed_and_the_clip_alone(t5: Path) -> None:
    def draw(seed: int, draws: list[str]) -> list[str]:
        options = WritingOptions(max_new_tokens=8, temperature=1.0, seed=seed)
        return Seq2Seq(str(t5), None, "cpu", options).write(["dog rain"] * 3, draws)

    torch.manual_seed(1)
    first = draw(0, ["a", "b", "a"])
    torch.manual_seed(2)
    assert draw(0, ["a", "b", "a"]) == first
    assert first[0] == first[2] != first[1]
    assert draw(1, ["a", "b", "a"]) != first


def test_a_caption_says_which_labels_and_model_it_is_of(t5: Path) -> None:
    (made,) = built(t5).make([clip("a", "Dog bark", "rain")])
    (caption,) = made.captions
    assert (caption.maker, caption.of) == ("k2c", ("Dog bark", "rain"))
    assert caption.details == {"model": "tiny", "keywords": ["dog bark", "rain"]}
    (text,) = Seq2Seq(str(t5), None, "cpu", WritingOptions(**QUICK)).write(["dog bark rain"], [""])
    assert caption.text == text


def test_keywords_are_written_as_the_model_was_trained(t5: Path) -> None:
    (made,) = built(t5, separator=" | ", prefix="sound of ").make([clip("a", "Dog bark", "rain")])
    (text,) = Seq2Seq(str(t5), None, "cpu", WritingOptions(**QUICK)).write(["sound of dog bark | rain"], [""])
    assert made.captions[0].text == text


def test_short_clips_are_left_out_by_the_manifest_or_by_their_file(t5: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(8000), 8000)
    soundfile.write(tmp_path / "long.wav", np.zeros(24000), 8000)
    clips = [
        clip("a", "cat", seconds=1.9),
        clip("b", "cat", seconds=2.0),
        replace(clip("c", "cat"), duration_s=1.0, extra={"seconds": 60}),
        replace(clip("d", "cat", seconds=None), audio=tmp_path / "short.wav"),
        replace(clip("e", "cat", seconds=None), audio=tmp_path / "long.wav"),
        replace(clip("f", "cat", seconds=None), audio=tmp_path / "long.wav", start_s=1.5),
        replace(clip("g", "cat", seconds=None), audio=tmp_path / "none.wav"),
        clip("h", seconds=9.0),
    ]
    stage = built(t5)
    made = stage.make(clips)
    assert [len(one.captions) for one in made] == [0, 1, 0, 0, 1, 0, 0, 0]
    assert [one.rejected[0].reason if one.rejected else None for one in made] == [
        "clip under 2 s", None, "clip under 2 s", "clip under 2 s", None, "clip under 2 s", "clip cannot be read", None,
    ]  # fmt: skip
    assert stage.estimate(clips).clips == 5, "the files are read when they are needed"
    assert sum(len(one.captions) for one in built(t5, min_duration_s=0).make(clips)) == 7


def test_what_fails_a_gate_is_rejected_with_its_text(t5: Path) -> None:
    (open_,) = built(t5).make([clip("a", "cat", "rain")])
    (strict,) = built(t5, gates={"min_words": 30}).make([clip("a", "cat", "rain")])
    assert strict.captions == ()
    assert [(item.text, item.reason) for item in strict.rejected] == [(open_.captions[0].text, "too short")]


def test_clips_with_the_same_labels_are_written_once(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    write = Seq2Seq.write

    def counted(self: Seq2Seq, texts: Any, draws: Any) -> list[str]:
        asked.extend(texts)
        return write(self, texts, draws)

    monkeypatch.setattr(Seq2Seq, "write", counted)
    stage = built(t5)
    first = stage.make([clip(str(number), "cat") for number in range(9)])
    assert stage.make([clip("x", "cat"), clip("y", "rain")])[0] == first[0]
    assert asked == ["cat", "rain"]
    drawing = built(t5, writing=QUICK | {"temperature": 2.0})
    texts = {made.captions[0].text for made in drawing.make([clip(str(number), "cat") for number in range(9)])}
    assert len(texts) > 1, "drawn ones are each clip's own"


def test_the_identity_is_of_the_weights_and_not_of_where_they_lie(t5: Path, tmp_path: Path) -> None:
    import shutil

    moved = Path(shutil.copytree(t5, tmp_path / "tiny"))
    assert built(t5, batch_size=1).identity == built(moved).identity
    assert built(t5).identity != built(t5, separator="|").identity
    weights = load_file(moved / "model.safetensors")
    weights["shared.weight"][0, 0] += 1
    save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
    assert built(t5).identity != built(moved).identity


def test_weights_may_be_a_pickle_of_tensors(t5: Path, tmp_path: Path) -> None:
    pickled = write_t5(tmp_path / "t5", weights_as="pickle")
    assert built(pickled).make([clip("a", "cat")])[0].captions[0].text == written(built(t5))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "t5", weights_as="pickle")

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    torch.save({"shared.weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(CaptionError, match="is a pickle of more than tensors"):
        written(built(folder))
    assert not (tmp_path / "touched").exists()


def written(stage: Stage) -> str:
    (made,) = stage.make([clip("a", "cat")])
    assert isinstance(made, Made)
    return made.captions[0].text


def test_another_models_tokenizer_is_refused(t5: Path, tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "small", size=10)
    with pytest.raises(CaptionError, match="knows 10 tokens, but its tokenizer has"):
        written(built(folder))
    folder = write_t5(tmp_path / "unknowing", words="hund bellt", size=50)
    with pytest.raises(CaptionError, match="does not know plain English words"):
        written(built(folder))


def test_a_missing_tokenizer_is_not_made_up(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "t5")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CaptionError, match=r"has no tokenizer, none of tokenizer\.json"):
        written(built(folder))


def test_a_sentencepiece_model_is_a_tokenizer(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = write_t5(tmp_path / "t5", size=200)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS, *TEXTS] * 20), model_writer=trained, vocab_size=80, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(trained.getvalue())
    made = built(folder).make([clip("a", "dog bark", "rain")])[0]
    assert made.captions or made.rejected, "it has read the keywords, and written something"


def test_missing_weights_are_not_made_up(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "t5")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "decoder" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CaptionError, match=f"lacks weights that its config calls for: {name}"):
        written(built(folder))


def test_what_is_no_encoder_decoder_is_refused(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "t5")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 20}))
    with pytest.raises(CaptionError, match="cannot be loaded as an encoder-decoder"):
        written(built(folder))


def test_a_model_that_is_nowhere_is_told_so() -> None:
    with pytest.raises(CaptionError, match="'nobody/nothing' is no folder, and cannot be had from the hub"):
        written(built(Path("nobody/nothing")))
    with pytest.raises(ConfigError, match="model: Field required"):
        stages.get("k2c")()
