"""Any Hugging Face encoder or decoder as a text tower, built from a plain config dictionary: no files, no hub.

BERT, MiniLM, RoBERTa, MPNet, DistilBERT, CLIP text, GPT-2, Llama, and the encoders of T5 and BART have been tried; what
`transformers` can build from a config and run on `input_ids` and `attention_mask` works. `transformers` is imported by
the first encoder that is built, not by this module.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.text.backbone import build_backbone, max_tokens, plain_hf_config, read_hf_config
from openclap.models.zoo import text_encoders
from openclap.types import EncoderOutput

Pooling = Literal["cls", "pooler", "mean", "last", "end"]


class HfTextConfig(Config):
    """A Hugging Face text encoder.

    Attributes:
        hf: a Hugging Face config as plain values; `model_type` says the architecture, and what is left out takes that
            architecture's default.
        pooling: how a text's one vector comes from its tokens:
            "cls" the first token; "mean" the average over the text's tokens; "last" its last token (decoders);
            "end" its first end token, or the last token of a text that has none (CLIP, MS-CLAP's GPT-2);
            "pooler" the architecture's own pooler (BERT and RoBERTa as LAION-CLAP uses them).
    """

    hf: dict[str, Any]
    pooling: Pooling = "mean"


class HfTextEncoder(nn.Module):
    """Token ids to token vectors and one pooled vector, by a Hugging Face model with random weights.

    Args:
        config: the architecture and the pooling.
        options: the config that this encoder shows as its own, where it was registered with simpler options.

    Raises:
        ConfigError: if `transformers` does not know the architecture, or it has not what the pooling needs.
    """

    def __init__(self, config: HfTextConfig, options: Config | None = None) -> None:
        super().__init__()
        hf = read_hf_config(config.hf)
        self.backbone = build_backbone(hf, with_pooler=config.pooling == "pooler")
        self.config = options or HfTextConfig(hf=plain_hf_config(hf), pooling=config.pooling)
        self.pooling = config.pooling
        self.dim: int = hf.hidden_size
        self.vocab_size: int = hf.vocab_size
        self.max_tokens = max_tokens(hf)
        self._end_id = hf.eos_token_id
        if config.pooling == "end" and not isinstance(self._end_id, int):
            raise ConfigError(
                f"pooling is 'end', but hf.eos_token_id is {self._end_id!r}: set it to the end token's id"
            )

    def forward(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> EncoderOutput:
        """Token vectors, and each text's pooled vector; padding is on the right and never changes the pooled vector."""
        output = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
        tokens = output.last_hidden_state
        if self.pooling == "pooler":
            return EncoderOutput(tokens=tokens, pooled=output.pooler_output)
        if self.pooling == "mean":
            return EncoderOutput(tokens=tokens, pooled=_masked_mean(tokens, attention_mask))
        return EncoderOutput(tokens=tokens, pooled=_pick(tokens, self._position(input_ids, attention_mask)))

    def _position(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Int[Tensor, " batch"]:
        """Which token stands for the text."""
        if self.pooling == "cls":
            return torch.zeros_like(input_ids[:, 0])
        last = attention_mask.sum(dim=1) - 1
        if self.pooling == "last":
            return last
        ends: Bool[Tensor, "batch tokens"] = (input_ids == self._end_id) & attention_mask.bool()
        return torch.where(ends.any(dim=1), ends.int().argmax(dim=1), last)


@text_encoders.register("hf")
def build_hf(**options: Any) -> HfTextEncoder:
    """A text encoder of any Hugging Face architecture; options are those of `HfTextConfig`."""
    return HfTextEncoder(HfTextConfig.read(options, origin="text encoder 'hf'"))


def _masked_mean(
    tokens: Float[Tensor, "batch tokens dim"], mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    weights = mask[:, :, None].to(tokens.dtype)
    # where() and not a product: what an encoder leaves at padded places may be NaN.
    kept = torch.where(weights > 0, tokens, torch.zeros_like(tokens))
    return kept.sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _pick(tokens: Float[Tensor, "batch tokens dim"], position: Int[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
    return tokens[torch.arange(len(tokens), device=tokens.device), position]
