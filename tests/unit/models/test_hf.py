from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from openclap.errors import ConfigError
from openclap.models.text.hf import HfTextConfig, HfTextEncoder
from openclap.types import TextBatch

SHARED: dict[str, Any] = {"vocab_size": 60}
BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
END = 3
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": BERT | {"pad_token_id": 0, "eos_token_id": END},
    "roberta": BERT | {"pad_token_id": 1, "eos_token_id": END, "max_position_embeddings": 66},
    "mpnet": BERT | {"pad_token_id": 1, "eos_token_id": END},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "pad_token_id": 0, "eos_token_id": END},
    "clip_text_model": BERT | {"bos_token_id": 2, "eos_token_id": END, "pad_token_id": 1},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": END, "eos_token_id": END},
    "llama": BERT | {"num_key_value_heads": 2, "bos_token_id": 2, "eos_token_id": END},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "eos_token_id": END},
    "bart": {
        "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "pad_token_id": 1,
        "eos_token_id": END, "bos_token_id": 2, "forced_eos_token_id": END, "decoder_start_token_id": END,
    },
}  # fmt: skip
HAVE_POOLERS = {"bert", "roberta", "mpnet", "clip_text_model"}
LENGTHS = (4, 9, 1, 6)


def encoder(model_type: str, pooling: str = "mean") -> HfTextEncoder:
    torch.manual_seed(0)
    hf = {"model_type": model_type, **SHARED, **ARCHITECTURES[model_type]}
    return HfTextEncoder(HfTextConfig(hf=hf, pooling=pooling)).eval()


def texts(fill: int = 1) -> TextBatch:
    """Four texts of different lengths that end with the end token; `fill` stands in the padding."""
    ids = torch.randint(4, 60, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(9)[None, :] < torch.tensor(LENGTHS)[:, None]
    ids[torch.arange(4), torch.tensor(LENGTHS) - 1] = END
    return TextBatch(torch.where(mask, ids, torch.full_like(ids, fill)), mask.long())


def pool(module: HfTextEncoder, batch: TextBatch) -> torch.Tensor:
    with torch.inference_mode():
        return module(batch.input_ids, batch.attention_mask).pooled


@pytest.mark.parametrize("pooling", ["cls", "mean", "last", "end", "pooler", "nonzero-count"])
@pytest.mark.parametrize("model_type", sorted(ARCHITECTURES))
def test_padding_never_changes_a_text(model_type: str, pooling: str) -> None:
    if pooling == "pooler" and model_type not in HAVE_POOLERS:
        with pytest.raises(ConfigError, match="has none"):
            encoder(model_type, pooling)
        return
    module, batch = encoder(model_type, pooling), texts()
    together = pool(module, batch)
    assert together.shape == (4, module.dim)
    for row, length in enumerate(LENGTHS):
        alone = TextBatch(batch.input_ids[row : row + 1, :length], batch.attention_mask[row : row + 1, :length])
        # Other shapes are other orders of summation in float32.
        torch.testing.assert_close(pool(module, alone)[0], together[row], atol=1e-5, rtol=1e-6)
    if model_type != "clip_text_model" or pooling != "pooler":  # CLIP's own pooler looks for the end in the padding too
        # What pads does not matter; 1 is RoBERTa's padding id, which its positions are counted by.
        torch.testing.assert_close(pool(module, texts(fill=0)), together, atol=1e-5, rtol=1e-6)


def test_mean_is_the_average_over_the_tokens_of_the_text() -> None:
    module, batch = encoder("bert"), texts()
    with torch.inference_mode():
        output = module(batch.input_ids, batch.attention_mask)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(output.pooled[row], output.tokens[row, :length].mean(0))


@pytest.mark.parametrize(("pooling", "position"), [("cls", 0), ("last", 8), ("end", 2)])
def test_a_pooling_takes_its_token(pooling: str, position: int) -> None:
    module = encoder("gpt2", pooling)
    ids = torch.tensor([[7, 8, END, 9, 10, 11, 12, END, 13]])
    with torch.inference_mode():
        output = module(ids, torch.ones_like(ids))
    assert output.pooled[0].equal(output.tokens[0, position])


def test_a_text_without_end_token_is_pooled_at_its_last() -> None:
    module = encoder("gpt2", "end")
    ids = torch.tensor([[7, 8, 9, END, END]])  # the padding is GPT-2's end token
    with torch.inference_mode():
        output = module(ids, torch.tensor([[1, 1, 1, 0, 0]]))
    assert output.pooled[0].equal(output.tokens[0, 2])


def test_clip_pooled_at_its_end_is_clip_pooled_by_itself() -> None:
    batch = texts()
    torch.testing.assert_close(
        pool(encoder("clip_text_model", "end"), batch), pool(encoder("clip_text_model", "pooler"), batch)
    )


def test_a_two_tower_config_gives_its_text_part() -> None:
    text = SHARED | ARCHITECTURES["clip_text_model"]
    module = HfTextEncoder(HfTextConfig(hf={"model_type": "clip", "text_config": text}, pooling="end"))
    assert module.dim == 16
    assert module.config.plain()["hf"]["model_type"] == "clip_text_model"


@pytest.mark.parametrize("model_type", sorted(ARCHITECTURES))
def test_no_weight_is_left_without_a_gradient(model_type: str) -> None:
    module, batch = encoder(model_type), texts()
    module(batch.input_ids, batch.attention_mask).pooled.square().sum().backward()
    idle = [name for name, weight in module.named_parameters() if weight.grad is None]
    assert idle == []


@pytest.mark.parametrize(("model_type", "tokens"), [("bert", 512), ("roberta", 64), ("clip_text_model", 77)])
def test_the_longest_text_fits_and_no_longer(model_type: str, tokens: int) -> None:
    module = encoder(model_type)
    assert module.max_tokens == tokens
    ids = torch.full((1, tokens), 7)
    assert pool(module, TextBatch(ids, torch.ones_like(ids))).isfinite().all()
    longer = torch.full((1, tokens + 1), 7)
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        pool(module, TextBatch(longer, torch.ones_like(longer)))


def test_wrong_configs_are_explained() -> None:
    with pytest.raises(ConfigError, match="has no model_type"):
        HfTextEncoder(HfTextConfig(hf={}))
    with pytest.raises(ConfigError, match="bertt"):
        HfTextEncoder(HfTextConfig(hf={"model_type": "bertt"}))
    with pytest.raises(ConfigError, match="no text encoder"):
        HfTextEncoder(HfTextConfig(hf={"model_type": "encodec"}))
    with pytest.raises(ConfigError, match="eos_token_id is None"):
        HfTextEncoder(HfTextConfig(hf={"model_type": "bert", **SHARED, **BERT}, pooling="end"))


def padded(length: int, **changes: object) -> HfTextEncoder:
    torch.manual_seed(0)
    hf = {"model_type": "bart", **SHARED, **ARCHITECTURES["bart"]} | changes
    return HfTextEncoder(HfTextConfig(hf=hf, pooling="padded-mean", padded_length=length)).eval()


def test_padded_mean_counts_the_padding_of_a_fixed_length_and_no_batch() -> None:
    module, batch = padded(12), texts()
    full = TextBatch(F.pad(batch.input_ids, (0, 3), value=1), F.pad(batch.attention_mask, (0, 3)))
    with torch.inference_mode():
        output = module(full.input_ids, full.attention_mask)
        hidden = module.backbone(input_ids=full.input_ids, attention_mask=full.attention_mask).last_hidden_state
    assert output.pooled.equal(hidden.mean(dim=1))
    torch.testing.assert_close(pool(module, batch), output.pooled)
    assert pool(module, texts(fill=9)).equal(pool(module, batch))  # what fills is always the padding's own id
    alone = TextBatch(batch.input_ids[2:3, :1], batch.attention_mask[2:3, :1])
    # Another batch is another order of summation in float32.
    torch.testing.assert_close(pool(module, alone)[0], output.pooled[2], atol=1e-5, rtol=1e-6)


def test_padded_mean_gives_the_tokens_of_the_text_alone() -> None:
    batch = texts()
    assert padded(12)(batch.input_ids, batch.attention_mask).tokens.shape == (4, 9, 16)


def test_padded_mean_has_a_longest_text_and_needs_a_padding() -> None:
    module, batch = padded(8), texts()
    assert module.max_tokens == 8
    with pytest.raises(ConfigError, match="9 tokens, but pooling 'padded-mean' takes at most 8"):
        module(batch.input_ids, batch.attention_mask)
    with pytest.raises(ConfigError, match="pad_token_id is None"):
        padded(8, pad_token_id=None)


def test_pooling_by_count_moves_with_every_id_of_zero() -> None:
    module = encoder("gpt2", "nonzero-count")
    ids = torch.tensor([[7, 8, 9, END, 0], [7, 0, 9, END, 0], [0, 0, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]])
    with torch.inference_mode():
        output = module(ids, mask)
    assert output.pooled[0].equal(output.tokens[0, 3])
    assert output.pooled[1].equal(output.tokens[1, 2])
    assert output.pooled[2].equal(output.tokens[2, 0])
