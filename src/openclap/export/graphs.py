"""The two towers as modules that become one graph each: what a user has in, unit vectors out."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.errors import ConfigError
from openclap.export.mel import GraphLogMel
from openclap.models.clap import Clap


class AudioGraph(nn.Module):
    """Waveforms of any one length to unit vectors: length policy, 16-bit round trip, log-mel, encoder, projection.

    What is longer than the window is cropped: windows over long sound are the caller's, as they are `Embedder`'s. A
    fused model gets its plain windows: the one view in the place of all, and "longer" never said.

    Raises:
        ConfigError: if short clips keep their length; for AudioMAE's padding, with another framing than AudioMAE's.
    """

    def __init__(self, frontend: Frontend, model: Clap) -> None:
        super().__init__()
        short, framing = frontend.config.length.short, frontend.config.mel.framing
        if short == "keep" or (short == "zero-pad-features" and framing != "snip-edges"):
            raise ConfigError(
                f"frontend.length.short is {short!r} with mel.framing {framing!r}, which export does not know: it "
                "knows 'repeat-pad', 'repeat' and 'zero-pad', and with framing 'snip-edges' 'zero-pad-features'"
            )
        self.config = frontend.config
        self.log_mel = GraphLogMel(frontend.log_mel, frontend.config.window_samples)
        self.model = model
        self.views = int(getattr(model.audio_encoder, "views", 1))

    def forward(self, waveforms: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch embed"]:
        """Unit vectors."""
        clips = fit(waveforms, self.config)
        if self.config.int16_round_trip:
            clips = (clips.clamp(-1.0, 1.0) * 32767.0).to(torch.int32).to(torch.float32) / 32767.0
        own = None
        if self.config.length.keeps_samples:
            own = _smaller(_larger(waveforms.shape[1], self.config.mel.shortest_clip), self.config.window_samples)
        features = self.log_mel(clips, own)[:, None]
        return self.model.encode_audio(features.expand(-1, self.views, -1, -1))


class TextGraph(nn.Module):
    """Token ids and mask to unit vectors."""

    def __init__(self, model: Clap) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch embed"]:
        """Unit vectors."""
        return self.model.encode_text(input_ids, attention_mask)


def fit(waveforms: Float[Tensor, "batch samples"], config: FrontendConfig) -> Float[Tensor, "batch window"]:
    """`fit_length` for a batch of one length, in operations whose graph holds for every length."""
    window, length = config.window_samples, config.length
    batch, count = waveforms.shape
    if length.crop == "centre":
        waveforms = waveforms[:, _larger(count - window, 0) // 2 :]
    repeats = {"repeat-pad": _larger(window // count, 1), "repeat": (window + count - 1) // count}
    repeated = waveforms.repeat(1, repeats.get(length.short, 1))
    return torch.cat((repeated, waveforms.new_zeros(batch, window)), 1).narrow(1, 0, window)


def _larger(left: int, right: int) -> int:
    larger: int = torch.sym_max(left, right)  # type: ignore[no-untyped-call]
    return larger


def _smaller(left: int, right: int) -> int:
    smaller: int = torch.sym_min(left, right)  # type: ignore[no-untyped-call]
    return smaller
