"""What every registered text encoder must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from openclap.config import digest
from openclap.errors import ConfigError
from openclap.models.encoder import TextEncoder
from openclap.models.zoo import text_encoders

# The options without which a name says too little to build from, kept small.
_TINY_BERT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
OPTIONS: dict[str, dict[str, Any]] = {"hf": {"hf": {"model_type": "bert", "vocab_size": 99, **_TINY_BERT}}}


@pytest.fixture(params=text_encoders.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def build(name: str):
    torch.manual_seed(0)
    return text_encoders.get(name)(**OPTIONS.get(name, {}))


def tokens(encoder, batch: int = 3, length: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(4, encoder.vocab_size, (batch, length), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(length)[None, :] < torch.tensor([length, 3, 5])[:batch, None]).long()
    return ids * mask, mask


def test_it_keeps_the_protocol(name: str) -> None:
    encoder = build(name)
    assert isinstance(encoder, TextEncoder)
    ids, mask = tokens(encoder)
    output = encoder(ids, mask)
    assert output.tokens.shape == (3, 7, encoder.dim)
    assert output.pooled.shape == (3, encoder.dim)
    assert output.pooled.isfinite().all()


def test_its_config_builds_it_again(name: str) -> None:
    encoder = build(name)
    options = encoder.config.plain()
    torch.manual_seed(0)
    again = text_encoders.get(name)(**options)
    assert digest(again.config.plain()) == digest(options)
    ids, mask = tokens(encoder)
    assert encoder.eval()(ids, mask).pooled.equal(again.eval()(ids, mask).pooled)
    assert {key: value.shape for key, value in encoder.state_dict().items()} == {
        key: value.shape for key, value in again.state_dict().items()
    }


def test_padding_never_matters(name: str) -> None:
    encoder = build(name).eval()
    ids, mask = tokens(encoder)
    with torch.inference_mode():
        expected = encoder(ids, mask).pooled
        alone = encoder(ids[1:2, :3], mask[1:2, :3]).pooled
        other = encoder(torch.where(mask.bool(), ids, torch.full_like(ids, 5)), mask).pooled
    # Another shape is another order of summation in float32.
    torch.testing.assert_close(alone, expected[1:2], atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(other, expected, atol=1e-5, rtol=1e-6)


def test_dropout_is_on_in_training_and_off_in_use(name: str) -> None:
    encoder = build(name)
    ids, mask = tokens(encoder)
    assert not encoder.train()(ids, mask).pooled.equal(encoder(ids, mask).pooled)
    assert encoder.eval()(ids, mask).pooled.equal(encoder(ids, mask).pooled)


def test_every_weight_gets_a_gradient_and_weights_share_no_memory(name: str) -> None:
    encoder = build(name)
    ids, mask = tokens(encoder)
    encoder(ids, mask).pooled.square().sum().backward()
    assert [key for key, weight in encoder.named_parameters() if weight.grad is None] == []
    state = encoder.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="colour"):
        text_encoders.get(name)(**OPTIONS.get(name, {}), colour="red")
