"""Packed and rounded models compute what the plain ones do, as nearly as they say."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import openclap
from openclap.checkpoints.native import Bundle, save_bundle, weights_digest
from openclap.errors import ConfigError, PrecisionWarning
from openclap.inference import int8
from openclap.inference.embedder import Embedder
from openclap.inference.int8 import Int8Linear, Int8Tokens
from openclap.inference.packing import PackedLinear, can_pack, copied, pack_
from openclap.inference.precision import check_precision, prepared
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.layers.swin import SwinBlock
from openclap.models.zoo import text_encoders

CPU = torch.device("cpu")
needs_packing = pytest.mark.skipif(not can_pack(CPU), reason="no oneDNN here, or no x86 processor")
needs_vnni = pytest.mark.skipif(
    not (can_pack(CPU) and torch.cpu._is_vnni_supported()), reason="this processor has no 8-bit products"
)
BERT = {"model_type": "bert", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 128, "vocab_size": 50}  # fmt: skip
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 2, "vocab_size": 50, "eos_token_id": 49}
ROBERTA = BERT | {"model_type": "roberta", "max_position_embeddings": 40}


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(-1) / np.linalg.norm(left, axis=-1) / np.linalg.norm(right, axis=-1)


@pytest.fixture(scope="module")
def lively(bundle: Bundle) -> Bundle:
    """The tiny model with weights that matter: what starts near zero would hide mistakes."""
    model = copied(bundle.model)
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            noise = torch.randn(weight.shape, generator=generator)
            size = 0.1 if weight.ndim < 2 else (1.5 / weight[0].numel()) ** 0.5
            setattr(module, name, nn.Parameter((weight.detach() if weight.ndim < 2 else 0) + size * noise))
    model.logit_scale = nn.Parameter(torch.tensor(2.0))
    return replace(bundle, model=model.eval())


@needs_packing
@pytest.mark.parametrize("activation", ["none", "relu", "gelu", "gelu-tanh"])
@pytest.mark.parametrize("rows", [(1,), (3, 7), (2, 600)])
def test_a_packed_map_is_the_plain_one_and_its_activation(activation: str, rows: tuple[int, ...]) -> None:
    linear, inputs = nn.Linear(48, 96, bias=activation != "relu"), torch.randn(*rows, 48)
    then = {"none": nn.Identity(), "relu": nn.ReLU(), "gelu": nn.GELU(), "gelu-tanh": nn.GELU("tanh")}[activation]
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear, activation)(inputs), then(linear(inputs)), atol=2e-6, rtol=1e-5)


@needs_packing
@pytest.mark.parametrize("hf", [BERT, ROBERTA, GPT2], ids=lambda hf: hf["model_type"])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_packed_text_models_give_the_same_vectors_and_the_plain_one_stays(hf: dict[str, Any], pooling: str) -> None:
    plain: Any = text_encoders.get("hf")(hf=hf, pooling=pooling).eval()
    before = weights_digest(plain)
    packed: Any = copied(plain)
    pack_(packed)
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    assert not any(type(module) is nn.Linear or type(module).__name__ == "Conv1D" for module in packed.modules())
    assert weights_digest(plain) == before
    ids = torch.randint(3, 49, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.inference_mode():
        expected, found = plain(ids, mask).pooled, packed(ids, mask).pooled
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)  # sums in another order


@pytest.mark.parametrize("precision", ["fp32", pytest.param("int8", marks=needs_vnni)])
def test_loaded_models_give_the_vectors_of_the_model_in_memory(
    lively: Bundle, wav: Callable[..., Path], tmp_path: Path, precision: Any
) -> None:
    save_bundle(lively, tmp_path / "model")
    clips = [wav(1.0), wav(2.5), wav(0.3)]
    texts = ["a dog barks", "rain falls on a roof and on a tent", "rain"]
    plain = Embedder.from_bundle(lively)
    model = openclap.load(tmp_path / "model", precision=precision, check=False)
    assert model.precision == precision
    least = 1 - 1e-6 if precision == "fp32" else 0.998  # rounding of 1 % in each of some ten maps
    assert cosines(model.embed_audio(clips), plain.embed_audio(clips)).min() > least
    assert cosines(model.embed_text(texts), plain.embed_text(texts)).min() > least
    assert (model.identity == plain.identity) == (precision == "fp32")


@needs_vnni
def test_int8_vectors_hardly_depend_on_the_batch(lively: Bundle, wav: Callable[..., Path]) -> None:
    before = weights_digest(lively.model)
    model = Embedder.from_bundle(lively, precision="int8")
    assert weights_digest(lively.model) == before
    clips = [wav(seconds) for seconds in (1.0, 2.5, 0.3, 4.0)]
    alone = np.concatenate([model.embed_audio([clip]) for clip in clips])
    # A sum in another order (of a norm, on other threads) moves a value over the edge to the next step, now and then.
    assert cosines(model.embed_audio(clips), alone).min() > 1 - 1e-5
    texts = ["rain", "a dog barks", "a bell rings twice, then an engine starts", "rain"]
    together = model.embed_text(texts)
    assert cosines(together, np.concatenate([model.embed_text(text) for text in texts])).min() > 1 - 1e-5
    np.testing.assert_array_equal(together[0], together[3])


@needs_vnni
@pytest.mark.parametrize("activation", ["none", "relu", "gelu", "gelu-tanh"])
def test_a_rounded_map_errs_by_little_and_each_row_by_its_own_size(activation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(256, 64)
    inputs = torch.randn(40, 256, generator=generator) * torch.logspace(-3, 3, 40)[:, None] + 2.0
    with torch.inference_mode():
        exact = PackedLinear(linear, activation)(inputs)
        error = Int8Linear(linear, activation)(inputs) - exact
    # Steps of 1/254 of a row's range (6 to 7 deviations), and of a weight row's, in quadrature: 1 %; twice for tails.
    size = (linear.weight.norm(dim=1).mean() * inputs.std(dim=1)).detach()
    assert (error.norm(dim=1) / 8 <= 0.02 * size + 2.0 * 0.02).all()


@needs_vnni
@pytest.mark.parametrize("inputs", [torch.zeros(2, 70), torch.full((2, 70), 3.7), torch.full((1, 70), -1e-35)])
def test_rows_of_equal_values_are_exact_but_for_the_weights(inputs: torch.Tensor) -> None:
    linear = nn.Linear(70, 8)
    with torch.inference_mode():
        for rounded in (Int8Linear(linear), Int8Tokens(linear)):
            # 70 weights, each off by up to half of 1/127 of 0.12, all times 3.7: a deviation of 0.008; six of them.
            torch.testing.assert_close(rounded(inputs), linear(inputs), atol=0.05, rtol=0)


@needs_vnni
def test_tokens_of_a_clip_do_not_depend_on_other_clips() -> None:
    linear = nn.Linear(64, 256)
    tokens = torch.randn(3, 3000, 64) * torch.tensor([1.0, 100.0, 0.01])[:, None, None]
    given = tokens.clone()
    rounded = Int8Tokens(linear)
    with torch.inference_mode():
        together, exact = rounded(tokens), linear(tokens)
        assert torch.equal(tokens, given)
        for clip, found, expected in zip(tokens, together, exact, strict=True):
            assert torch.equal(rounded(clip[None])[0], found)
            assert (found - expected).norm() < 0.02 * expected.norm()  # 1 % to 2 % for a map


@needs_vnni
@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("windows_at_once", [1, 3, 100])
def test_a_rounded_swin_block_is_the_plain_one_however_its_windows_are_cut(
    shift: int, windows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    block = SwinBlock(dim=64, heads=4, side=16, window=4, shift=shift, mlp_ratio=4.0, drop_path=0.0).eval()
    nn.init.normal_(block.attention.relative_bias)
    monkeypatch.setattr(int8, "_BLOCK_VALUES", windows_at_once * 16 * 256)
    rounded = int8.Int8SwinBlock(block)
    tokens = torch.randn(2, 256, 64)
    given = tokens.clone()
    with torch.inference_mode():
        together, exact = rounded(tokens), block(tokens)
        assert torch.equal(tokens, given)
        assert torch.equal(rounded(tokens[1:])[0], together[1])
    assert (together - exact).norm() < 0.03 * (exact - tokens).norm()  # four maps of 1 % to 2 %, in two branches


def test_a_precision_that_does_not_exist_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"one of fp32, bf16, int8, but is 'fp16'"):
        Embedder.from_bundle(bundle, precision="fp16")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"'int8', which needs an x86 CPU .* device is cuda: take 'bf16'"):
        check_precision("int8", torch.device("cuda"))


def test_bf16_warns_where_it_does_not_pay_and_computes_nearly_the_same(
    lively: Bundle, wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.warns(PrecisionWarning, match="slower than 'fp32'"):
        model = Embedder.from_bundle(lively, precision="bf16")
    plain, clips, texts = Embedder.from_bundle(lively), [wav(1.0), wav(2.5)], ["a dog barks", "rain"]
    # bfloat16 has 8 bits: 0.2 % a rounding, several in each of some ten layers.
    assert cosines(model.embed_audio(clips), plain.embed_audio(clips)).min() > 0.999
    assert cosines(model.embed_text(texts), plain.embed_text(texts)).min() > 0.999
    assert model.embed_text("rain").dtype == np.float32
    assert model.identity != plain.identity
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_precision("bf16", CPU)


@needs_vnni
def test_int8_warns_where_sound_gains_nothing(bundle: Bundle) -> None:
    config = ClapConfig(audio=EncoderConfig(name="pann-micro"), text=bundle.config.model.text, embed_dim=32)
    with pytest.warns(PrecisionWarning, match="leaves convolutions in float32"):
        Embedder.from_bundle(replace(bundle, model=Clap(config)), precision="int8")


@needs_packing
def test_a_model_given_up_is_taken_apart_and_no_other(bundle: Bundle) -> None:
    given: Any = copied(bundle.model)
    assert prepared(given, "fp32", in_place=True) is given
    assert not any(type(module) is nn.Linear for module in given.modules())
    made = prepared(bundle.model, "fp32")
    assert made is not bundle.model
    assert any(type(module) is nn.Linear for module in bundle.model.modules())
