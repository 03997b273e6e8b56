"""Feature fusion's four views of a clip longer than the model's window: all of it, shrunk, and three parts of it.

The views are [global, front, middle, back]: the whole clip's log-mel resized to the window's number of frames, and as
many frames taken as they are from the first, the middle and the last third of the places where such a part can begin.
Source: LAION-CLAP (arXiv 2211.06687, section 3.3), and how its package and Hugging Face's port lay out the thirds. What
differs: the places are drawn only where a generator is handed in; without one they are the same every time.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from openclap.config import Config

VIEWS = 4


class FusionConfig(Config):
    """How a clip longer than the window becomes four views.

    Attributes:
        global_resize: how the whole clip is shrunk in time. "antialias" averages over all that falls into a frame
            (torchvision's Resize, which LAION-CLAP calls); "bilinear" looks at two frames for each (Hugging Face).
        positions: where the three parts begin when there is no randomness: in the "middle" of their thirds.
    """

    global_resize: Literal["antialias", "bilinear"] = "antialias"
    positions: Literal["middle"] = "middle"


def fused_views(
    log_mel: Float[Tensor, "total mels"], frames: int, config: FusionConfig, generator: torch.Generator | None = None
) -> Float[Tensor, "views frames mels"]:
    """The four views of a clip, of `frames` frames each; four times the clip itself if it has no more than those.

    Args:
        log_mel: the whole clip's features, at least `frames` of them.
        frames: how many fit the model's window.
        config: how.
        generator: where the parts' places are drawn from, one in each third, all alike; None takes `config.positions`.

    Raises:
        ValueError: if the clip has fewer frames than the window.
    """
    surplus = len(log_mel) - frames
    if surplus < 0:
        raise ValueError(f"a clip of {len(log_mel)} frames has no views of {frames}")
    if surplus == 0:
        return log_mel.expand(VIEWS, -1, -1)
    parts = [log_mel[start : start + frames] for start in part_starts(surplus + 1, generator)]
    return torch.stack([_resized(log_mel, frames, config), *parts])


def part_starts(n_starts: int, generator: torch.Generator | None = None) -> tuple[int, int, int]:
    """The first frames of the front, middle and back part, of `n_starts` possible ones.

    The possible ones are divided into thirds as equal as can be, the earlier ones larger. A third without any takes the
    clip's beginning, as LAION-CLAP does.
    """
    starts, begin = [], 0
    for third in range(3):
        length = (n_starts + 2 - third) // 3
        starts.append(begin + _place(length, generator) if length else 0)
        begin += length
    front, middle, back = starts
    return front, middle, back


def _place(length: int, generator: torch.Generator | None) -> int:
    return length // 2 if generator is None else int(torch.randint(length, (), generator=generator))


def _resized(log_mel: Float[Tensor, "total mels"], frames: int, config: FusionConfig) -> Float[Tensor, "frames mels"]:
    image = log_mel[None, None]
    antialias = config.global_resize == "antialias"
    size = (frames, log_mel.shape[1])
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=antialias)[0, 0]
