"""ClapModel's tensors in a Hugging Face directory, and ours.

Source of the names: transformers 5.23, `models/clap/modeling_clap.py`. Query, key and value are three tensors there.
"""

from __future__ import annotations

from openclap.checkpoints.maps.htsat import body_pairs
from openclap.checkpoints.maps.rules import Fixed, Pair, batch_norm, linear, same
from openclap.checkpoints.maps.text import bert_fixed, bert_pairs
from openclap.models.audio.htsat import HtsatConfig
from openclap.models.layers.windows import relative_position_index

TEXT_SCALE = "logit_scale_t"
_AUDIO, _TEXT, _OURS = "audio_model.audio_encoder.", "text_model.", "audio_encoder."


def clap_pairs(audio: HtsatConfig, text_layers: int) -> list[Pair]:
    """Every tensor of a ClapModel there and here, but for `logit_scale_t`, on which no vector depends."""
    pairs = [
        *batch_norm(f"{_AUDIO}batch_norm", f"{_OURS}mel_norm"),
        *body_pairs(audio, _AUDIO, _OURS, _block),
        *bert_pairs(text_layers, _TEXT),
        *same("logit_scale_a", "logit_scale"),
    ]
    for tower in ("audio", "text"):
        pairs += linear(f"{tower}_projection.linear1", f"{tower}_projection.0")
        pairs += linear(f"{tower}_projection.linear2", f"{tower}_projection.2")
    return pairs


def clap_fixed(audio: HtsatConfig, positions: int) -> list[Fixed]:
    """The tables that it keeps beside its weights."""
    blocks = [
        (f"{stage}.blocks.{block}", audio.window(stage, block)[0])
        for stage, depth in enumerate(audio.depths)
        for block in range(depth)
    ]
    rules = [
        Fixed(
            f"{_AUDIO}layers.{place}.attention.self.relative_position_index",
            lambda window=window: relative_position_index(window).view(window**2, window**2),  # type: ignore[misc]
        )
        for place, window in blocks
    ]
    return [*rules, *bert_fixed(positions, _TEXT)]


def _block(theirs: str, ours: str) -> list[Pair]:
    parts = [f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")]
    return [
        *linear(f"{theirs}.layernorm_before", f"{ours}.norm1"),
        *same(f"{theirs}.attention.self.relative_position_bias_table", f"{ours}.attention.relative_bias"),
        *(Pair(tuple(f"{p}.{kind}" for p in parts), (f"{ours}.attention.qkv.{kind}",)) for kind in ("weight", "bias")),
        *linear(f"{theirs}.attention.output.dense", f"{ours}.attention.proj"),
        *linear(f"{theirs}.layernorm_after", f"{ours}.norm2"),
        *linear(f"{theirs}.intermediate.dense", f"{ours}.mlp.0"),
        *linear(f"{theirs}.output.dense", f"{ours}.mlp.2"),
    ]
