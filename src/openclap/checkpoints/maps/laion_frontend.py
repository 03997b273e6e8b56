"""Which front-end a LAION-CLAP file was trained with, from the filters that it keeps; and the filters to write."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from openclap.audio.frontend import FRONTEND_PRESETS, FrontendConfig
from openclap.audio.mel import MelConfig
from openclap.checkpoints.differences import differences
from openclap.checkpoints.maps.rules import Fixed
from openclap.checkpoints.maps.torchlibrosa import fits, has_buffers, torchlibrosa_buffers
from openclap.errors import CheckpointError

_PREFIX = "audio_branch."
# What the published configs of LAION-CLAP differ in (`model_configs/*.json`): Fourier length, highest frequency in Hz,
# hop, window in seconds. No tensor holds the last two; the first two name them.
_VARIANTS = ((1024, 14_000.0, 480, 10.0), (1536, 14_000.0, 480, 10.0), (1024, 18_000.0, 480, 10.0),
             (1024, 8_000.0, 360, 20.0))  # fmt: skip
_CHOSEN_IN_USE = {"length", "int16_round_trip", "fusion"}  # by who loads the file, and not by the file


def read_frontend(tensors: Mapping[str, Tensor], *, fused: bool) -> tuple[FrontendConfig, bool]:
    """The front-end of a file, and whether that is an assumption, because the file keeps no filters.

    Args:
        tensors: all of the file's.
        fused: whether its encoder fuses views. Its features then come from another filter bank than the one it keeps.

    Raises:
        CheckpointError: if it keeps filters that none of the published configs makes.
    """
    n_mels = len(tensors[f"{_PREFIX}bn0.weight"])
    for variant in _VARIANTS:
        frontend = _frontend(variant, n_mels, fused=fused)
        if fits(_kept(frontend.mel), tensors, _PREFIX):
            return frontend, not has_buffers(tensors, _PREFIX)
    filters = tensors.get(f"{_PREFIX}logmel_extractor.melW")
    shape = "" if filters is None else f" (melW {tuple(filters.shape)})"
    known = "; ".join(f"n_fft {n_fft}, up to {f_max:g} Hz" for n_fft, f_max, *_ in _VARIANTS)
    raise CheckpointError(
        f"the file was trained with a filter bank{shape} that is of none of LAION-CLAP's configs ({known}): it "
        "cannot be known which sound it expects"
    )


def frontend_rules(frontend: FrontendConfig) -> list[Fixed]:
    """The filters that a file with this front-end keeps.

    Raises:
        CheckpointError: if LAION-CLAP has no such front-end; names what differs.
    """
    fused = frontend.fusion is not None
    candidates = [_frontend(variant, frontend.mel.n_mels, fused=fused) for variant in _VARIANTS]
    wrong = [differences(frontend.plain(), candidate.plain(), _CHOSEN_IN_USE) for candidate in candidates]
    if [] not in wrong:
        fewest = min(wrong, key=len)
        raise CheckpointError(f"the front-end has no place in LAION-CLAP's format: {'; '.join(fewest)}")
    return torchlibrosa_buffers(_kept(frontend.mel), _PREFIX)


def _frontend(variant: tuple[int, float, int, float], n_mels: int, *, fused: bool) -> FrontendConfig:
    n_fft, f_max_hz, hop_length, window_s = variant
    base = FRONTEND_PRESETS["laion-fusion" if fused else "laion"]
    mel = {"n_mels": n_mels, "n_fft": n_fft, "win_length": n_fft, "hop_length": hop_length, "f_max_hz": f_max_hz}
    return base.model_copy(update={"window_s": window_s, "mel": base.mel.model_copy(update=mel)})


def _kept(mel: MelConfig) -> MelConfig:
    """The settings of the filters in a file: always Slaney's, used or not."""
    return mel.model_copy(update={"mel_scale": "slaney", "mel_norm": "slaney"})
