"""Any Hugging Face encoder or decoder as a text tower, built from a plain config dictionary: no files, no hub.

BERT, MiniLM, RoBERTa, MPNet, DistilBERT, CLIP text, GPT-2, Llama, and the encoders of T5 and BART have been tried; what
`transformers` can build from a config and run on `input_ids` and `attention_mask` works. `transformers` is imported by
the first encoder that is built, not by this module.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.text.backbone import build_backbone, max_tokens, plain_hf_config, read_hf_config
from openclap.models.zoo import text_encoders
from openclap.types import EncoderOutput

Pooling = Literal["cls", "pooler", "mean", "last", "end", "padded-mean", "nonzero-count"]


class HfTextConfig(Config):
    """A Hugging Face text encoder.

    Attributes:
        hf: a Hugging Face config as plain values; `model_type` says the architecture, and what is left out takes that
            architecture's default.
        pooling: how a text's one vector comes from its tokens:
            "cls" the first token; "mean" the average over the text's tokens; "last" its last token (decoders);
            "end" its first end token, or the last token of a text that has none (CLIP, MS-CLAP's GPT-2);
            "pooler" the architecture's own pooler (BERT and RoBERTa as LAION-CLAP uses them);
            "padded-mean" the average over `padded_length` places, padding included (LAION-CLAP's BART);
            "nonzero-count" the token at place n - 1, where n of the text's ids are not 0 (MS-CLAP's GPT-2: an early one
            where "!", whose id is 0, stands in the text).
        padded_length: how many places "padded-mean" fills a text up to, so that no text depends on its batch.
    """

    hf: dict[str, Any]
    pooling: Pooling = "mean"
    padded_length: int = Field(default=77, gt=0)


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
        self.config = options or config.model_copy(update={"hf": plain_hf_config(hf)})
        self.pooling = config.pooling
        self.dim: int = hf.hidden_size
        self.vocab_size: int = hf.vocab_size
        self.max_tokens = max_tokens(hf)
        if config.pooling == "padded-mean":
            self.max_tokens = min(self.max_tokens, config.padded_length)
        self._end_id, self._pad_id = hf.eos_token_id, hf.pad_token_id
        if config.pooling == "padded-mean" and not isinstance(self._pad_id, int):
            raise ConfigError(
                f"pooling is 'padded-mean', but hf.pad_token_id is {self._pad_id!r}: set it to the padding's id"
            )
        if config.pooling == "end" and not isinstance(self._end_id, int):
            raise ConfigError(
                f"pooling is 'end', but hf.eos_token_id is {self._end_id!r}: set it to the end token's id"
            )

    def forward(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> EncoderOutput:
        """Token vectors, and each text's pooled vector; padding is on the right and never changes the pooled vector."""
        count = input_ids.shape[1]
        if self.pooling == "padded-mean":
            input_ids, attention_mask = self._padded(input_ids, attention_mask)
        output = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
        tokens = output.last_hidden_state
        if self.pooling == "pooler":
            return EncoderOutput(tokens=tokens, pooled=output.pooler_output)
        if self.pooling == "padded-mean":
            return EncoderOutput(tokens=tokens[:, :count], pooled=tokens.mean(dim=1))
        if self.pooling == "mean":
            return EncoderOutput(tokens=tokens, pooled=_masked_mean(tokens, attention_mask))
        return EncoderOutput(tokens=tokens, pooled=_pick(tokens, self._position(input_ids, attention_mask)))

    def _padded(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> tuple[Int[Tensor, "batch padded"], Int[Tensor, "batch padded"]]:
        """Ids and mask of `max_tokens` places: what fills a row counts here, so it is always the padding's own id."""
        missing = self.max_tokens - input_ids.shape[1]
        if missing < 0:
            raise ConfigError(
                f"texts have {input_ids.shape[1]} tokens, but pooling 'padded-mean' takes at most {self.max_tokens}: "
                "lower tokenizer.max_length"
            )
        ids = input_ids.masked_fill(attention_mask == 0, self._pad_id)
        return F.pad(ids, (0, missing), value=self._pad_id), F.pad(attention_mask, (0, missing))

    def _position(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Int[Tensor, " batch"]:
        """Which token stands for the text."""
        if self.pooling == "cls":
            return torch.zeros_like(input_ids[:, 0])
        if self.pooling == "nonzero-count":
            return (((input_ids != 0) & attention_mask.bool()).sum(dim=1) - 1).clamp(min=0)
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
    return tokens[torch.arange(tokens.shape[0], device=tokens.device), position]
