"""msclap's own models, files and inference (msclap 1.3.4): see peers_process.py.

A case is {"version": "2023" | "2022", "seed": 0}.

What had to be done to it: its text tower is built without a download; a clip comes as an array where its `read_audio`
reads a file; its random crop starts at 0; and its tokenizer call, whose method transformers 5 has not, cuts a text that
is too long, where its own fails.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peers_process as process
import torch
import transformers
import yaml
from peers import tokenizer as train_tokenizer


class MsClap:
    """One msclap model."""

    name = "msclap 1.3.4"
    fused = False

    def __init__(self, version: str, seed: int = 0, enlivened: bool = True) -> None:
        transformers.AutoModel.from_pretrained = classmethod(_tower_without_download)
        import msclap
        from msclap.CLAPWrapper import CLAPWrapper
        from msclap.models.clap import CLAP

        text = (Path(msclap.__file__).parent / f"configs/config_{version}.yml").read_text()
        values = yaml.safe_load(text)
        self.sample_rate_hz: int = values["sampling_rate"]
        self.window: int = values["sampling_rate"] * values["duration"]
        process.fix_randomness(seed)
        self.model = CLAP(
            audioenc_name=values["audioenc_name"],
            sample_rate=values["sampling_rate"],
            window_size=values["window_size"],
            hop_size=values["hop_size"],
            mel_bins=values["mel_bins"],
            fmin=values["fmin"],
            fmax=values["fmax"],
            classes_num=values["num_classes"],
            out_emb=values["out_emb"],
            text_model=values["text_model"],
            transformer_embed_dim=values["transformer_embed_dim"],
            d_proj=values["d_proj"],
        )
        process.fill_lively(self.model, seed)
        self.model.logit_scale.fill_(2.9)
        self.audio_projection = self.whole_audio_projection = self.model.audio_encoder.projection
        self.text_projection = self.model.caption_encoder.projection
        self._gpt = "gpt" in values["text_model"]
        self.tokenizer = train_tokenizer("gpt2" if self._gpt else "bert")
        random.randrange = lambda *_: 0

        self._wrapper = CLAPWrapper.__new__(CLAPWrapper)
        self._wrapper.config_as_str = text
        self._wrapper.args = self._wrapper.read_config_as_args(text, is_config_str=True)
        self._wrapper.clap, self._wrapper.tokenizer, self._wrapper.use_cuda = (
            self.model,
            _Calls(self.tokenizer, types=not self._gpt),
            False,
        )
        self._wrapper.token_keys = ["input_ids", "attention_mask"] + ([] if self._gpt else ["token_type_ids"])
        if enlivened:
            process.enliven(self, seed)

    def _given(self, clips: Sequence[np.ndarray]) -> torch.Tensor:
        """Its own repeating and cutting."""
        self._wrapper.read_audio = lambda clip, resample: (torch.from_numpy(clip), self.sample_rate_hz)
        return self._wrapper.preprocess_audio(list(clips), resample=True)

    def features(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        base = self.model.audio_encoder.base
        base = getattr(base, "htsat", base)
        return [base.logmel_extractor(base.spectrogram_extractor(clip))[0, 0].numpy() for clip in self._given(clips)]

    def embed_audio(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        return self._wrapper._get_audio_embeddings(self._given(clips)).numpy()

    def embed_files(self, paths: Sequence[str]) -> np.ndarray:
        """As its `read_audio` does it, with soundfile where it has torchaudio's decoder, and torchaudio's resampler."""
        import soundfile
        import torchaudio

        clips = []
        for path in paths:
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            resampler = torchaudio.transforms.Resample(rate_hz, self.sample_rate_hz)
            clips.append(resampler(torch.from_numpy(samples.T.copy())).reshape(-1).numpy())
        return self.embed_audio(clips)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        return self._wrapper.get_text_embeddings(list(texts)).numpy()

    def config(self) -> None:
        """What stands in the checkpoint's config.json."""
        return

    def set_tokenizer(self, tokenizer: Any) -> None:
        """Take another tokenizer."""
        self._wrapper.tokenizer = _Calls(tokenizer, types=not self._gpt)

    def logit_scale(self) -> float:
        return float(self.model.logit_scale)

    def save(self, folder: Path) -> Path:
        torch.save({"model": self.model.state_dict()}, folder / "peer.pth")
        self.tokenizer.save_pretrained(folder / "tokenizer")
        return folder / "peer.pth"

    def load(self, path: Path) -> None:
        """As its `load_clap` does it, but strictly: its own forgives what is missing."""
        self.model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["model"], strict=True)


class _Calls:
    """A tokenizer with the method that msclap calls; BERT's gives token types as well, and GPT-2's does not."""

    def __init__(self, tokenizer: Any, *, types: bool) -> None:
        self._tokenizer, self._types = tokenizer, types

    def encode_plus(self, text: str, **options: Any) -> Any:
        return self._tokenizer(text, truncation=True, return_token_type_ids=self._types, **options)


def _tower_without_download(cls: type, name: str, *_: Any, **__: Any) -> torch.nn.Module:
    if "gpt" in name:
        return transformers.GPT2Model(transformers.GPT2Config())
    return transformers.BertModel(transformers.BertConfig())


if __name__ == "__main__":
    process.serve(MsClap)
