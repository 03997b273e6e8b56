"""transformers' own ClapModel, files and feature extractor (transformers 5.23): see peers_process.py.

A case is {"fusion": false, "size": "tiny" | "base", "binary": false, "seed": 0}; "base" is the size of
the `larger_clap_*` models.

What had to be done to it: its random places are fixed (the middle frame of each third of a fused clip), and a clip
that it flags as longer by chance, when none is, is not flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peers_process as process
import torch
from peers import tokenizer as train_tokenizer

SIZES = {
    "tiny": {},
    "base": {"patch_embeds_hidden_size": 128, "hidden_size": 1024, "depths": [2, 2, 12, 2]},
}


class HuggingFace:
    """One ClapModel."""

    name = "transformers 5.23.0"
    sample_rate_hz = 48_000
    window = 480_000

    def __init__(
        self, fusion: bool = False, size: str = "tiny", binary: bool = False, seed: int = 0, enlivened: bool = True
    ) -> None:
        from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

        process.fix_randomness(seed)
        self.fused, self._binary = fusion, binary
        config = ClapConfig(audio_config={"enable_fusion": fusion, **SIZES[size]})
        self.model = ClapModel(config).eval()
        process.fill_lively(self.model, seed)
        self.model.logit_scale_a.fill_(2.9)
        self.model.logit_scale_t.fill_(3.3)
        self._extractor = ClapFeatureExtractor(
            truncation="fusion" if fusion else "rand_trunc",
            padding="repeatpad",
            frequency_min=50,
            frequency_max=14_000,
        )
        self.tokenizer = train_tokenizer("roberta")
        # Its two parts before the projections are modules as well: what goes into linear1 is the pooled vector.
        self.audio_projection = self.model.audio_projection.linear1
        self.text_projection = self.model.text_projection.linear1
        self.whole_audio_projection = self.model.audio_projection
        if enlivened:
            process.enliven(self, seed)

    def _extract(self, clips: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        found = self._extractor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        hop, window = self._extractor.hop_length, self._extractor.nb_max_samples
        longer = torch.tensor([[self.fused and len(clip) // hop > window // hop] for clip in clips])
        assert not longer.any() or not self.fused or torch.equal(longer, found["is_longer"].reshape(-1, 1))
        return found["input_features"], longer

    def features(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        return self._extract(clips)[0].numpy()

    def embed_audio(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        features, longer = self._extract(clips)
        extra = {"is_longer": longer} if self.fused else {}
        return _vectors(self.model.get_audio_features(input_features=features, **extra))

    def embed_files(self, paths: Sequence[str]) -> np.ndarray:
        """As its documentation does it: librosa at 48 kHz, then the extractor."""
        import librosa

        return self.embed_audio([librosa.load(path, sr=self.sample_rate_hz)[0] for path in paths])

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        given = self.tokenizer(list(texts), padding=True, truncation=True, max_length=512, return_tensors="pt")
        return _vectors(
            self.model.get_text_features(input_ids=given["input_ids"], attention_mask=given["attention_mask"])
        )

    def config(self) -> dict[str, Any]:
        """What stands in the checkpoint's config.json."""
        return self.model.config.to_dict()

    def set_tokenizer(self, tokenizer: Any) -> None:
        """Take another tokenizer."""
        self.tokenizer = tokenizer

    def logit_scale(self) -> float:
        return float(self.model.logit_scale_a)

    def save(self, folder: Path) -> Path:
        """A directory as `save_pretrained` writes it, or with the older pytorch_model.bin."""
        path = folder / "peer"
        self.model.save_pretrained(path)
        if self._binary:
            (path / "model.safetensors").unlink()
            torch.save(dict(self.model.state_dict()), path / "pytorch_model.bin")
        self._extractor.save_pretrained(path)
        self.tokenizer.save_pretrained(path)
        self.tokenizer.save_pretrained(folder / "tokenizer")
        return path

    def load(self, path: Path) -> None:
        """Through `from_pretrained`, and the directory's own feature extractor and tokenizer."""
        from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

        model, report = ClapModel.from_pretrained(path, output_loading_info=True)
        problems = {key: sorted(map(str, value)) for key, value in report.items() if value}
        assert not problems, problems
        self.model = model.eval()
        self.audio_projection = model.audio_projection.linear1
        self.text_projection = model.text_projection.linear1
        self._extractor = ClapFeatureExtractor.from_pretrained(path)
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(path)


def _vectors(found: object) -> np.ndarray:
    return (found if torch.is_tensor(found) else found.pooler_output).numpy()


if __name__ == "__main__":
    process.serve(HuggingFace)
