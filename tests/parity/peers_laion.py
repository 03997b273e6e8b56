"""laion-clap's own models, files and inference (laion-clap 1.1.7): see peers_process.py.

A case is {"audio": "HTSAT-tiny", "text": "roberta", "fusion": "None" | "aff_2d" …, "text_layers": of the CLIP tower,
"seed": 0}.

What had to be done to it: its towers are built without a download, its random places are fixed (the middle frame of
each third of a fused clip), and the CNN10 and CNN6, whose forward takes samples where CNN14's takes a dictionary, get
samples. Its vectors come from `CLAP_Module`'s own methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import peers_process as process
import torch
import transformers
from peers import tokenizer as train_tokenizer

MAX_TOKENS = 77


class Laion:
    """One laion-clap model."""

    name = "laion-clap 1.1.7"
    sample_rate_hz = 48_000
    window = 480_000

    def __init__(
        self,
        audio: str,
        text: str,
        fusion: str = "None",
        text_layers: int | None = None,
        seed: int = 0,
        enlivened: bool = True,
    ) -> None:
        self.fused, self._kind = fusion != "None", text
        self.tokenizer = None if text == "transformer" else train_tokenizer("bert" if text == "bert" else "roberta")
        _towers_without_download(self.tokenizer)
        import laion_clap  # puts its own folder on sys.path
        from clap_module import create_model, factory

        if text_layers is not None:
            factory._MODEL_CONFIGS[audio]["text_cfg"]["layers"] = text_layers
        process.fix_randomness(seed)
        self.model, self._config = create_model(
            audio, text, precision="fp32", device="cpu", enable_fusion=self.fused, fusion_type=fusion
        )
        process.fill_lively(self.model, seed)
        self.model.logit_scale_a.fill_(2.9)
        self.model.logit_scale_t.fill_(3.3)
        self.audio_projection, self.text_projection = self.model.audio_projection, self.model.text_projection
        if audio in {"PANN-10", "PANN-6"}:
            self.model.audio_branch.register_forward_pre_hook(lambda _, given: (given[0]["waveform"], *given[1:]))
        module = laion_clap.CLAP_Module
        self._hook = SimpleNamespace(model=self.model, model_cfg=self._config, enable_fusion=self.fused)
        self._from_data = module.get_audio_embedding_from_data
        self._from_files = module.get_audio_embedding_from_filelist
        self.whole_audio_projection = self.audio_projection
        if enlivened:
            process.enliven(self, seed)

    def features(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of the plain model its own spectrogram's output, of a fused one the four views it is handed."""
        from laion_clap.training.data import float32_to_int16, get_audio_features, int16_to_float32

        found = []
        for clip in clips:
            fill, cut = "repeatpad", "fusion" if self.fused else "rand_trunc"
            samples = torch.from_numpy(int16_to_float32(float32_to_int16(clip))).float()
            given = get_audio_features({}, samples, self.window, cut, fill, self._config["audio_cfg"])
            if self.fused:
                found.append(given["mel_fusion"].numpy())
            else:
                branch = self.model.audio_branch
                mel = branch.logmel_extractor(branch.spectrogram_extractor(given["waveform"][None].float()))
                found.append(mel[0, 0].numpy())
        return found

    def embed_audio(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        return self._from_data(self._hook, list(clips))

    def embed_files(self, paths: Sequence[str]) -> np.ndarray:
        return self._from_files(self._hook, list(paths))

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        if self._kind == "transformer":
            from clap_module import tokenize

            return self.model.encode_text(tokenize(list(texts), MAX_TOKENS), device="cpu").numpy()
        given = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
            return_token_type_ids=True,
        )
        return self.model.get_text_embedding(dict(given)).numpy()

    def config(self) -> None:
        """What stands in the checkpoint's config.json."""
        return

    def set_tokenizer(self, tokenizer: Any) -> None:
        """Take another tokenizer."""
        self.tokenizer = tokenizer

    def logit_scale(self) -> float:
        return float(self.model.logit_scale_a)

    def save(self, folder: Path) -> Path:
        """As its trainer writes it: from DistributedDataParallel, with the optimiser's baggage and numpy scalars.

        The published files were written under a transformers version that stored position ids: so does this one.
        """
        state = {f"module.{name}": value for name, value in self.model.state_dict().items()}
        if self._kind in {"roberta", "bert"}:
            positions = self.model.text_branch.config.max_position_embeddings
            state["module.text_branch.embeddings.position_ids"] = torch.arange(positions)[None]
        baggage: dict[str, Any] = {
            "epoch": 1,
            "name": "peer",
            "optimizer": {
                "state": {0: {"step": 3, "exp_avg": torch.zeros(3)}},
                "param_groups": [{"lr": np.float64(1)}],
            },
            "loss": np.float32(1.5),
        }
        torch.save(baggage | {"state_dict": state}, folder / "peer.pt")
        (self.tokenizer or _clip_tokenizer()).save_pretrained(folder / "tokenizer")
        return folder / "peer.pt"

    def load(self, path: Path) -> None:
        """As `CLAP_Module.load_ckpt` does it: through its own `load_state_dict`, strictly.

        That one always deletes RoBERTa's position ids, and fails where there are none (its own bug for the other text
        encoders): they get none deleted.
        """
        from clap_module.factory import load_state_dict

        if self._kind == "roberta":
            self.model.load_state_dict(load_state_dict(str(path), skip_params=True))
        else:
            state = torch.load(path, map_location="cpu", weights_only=False)
            state = {name.removeprefix("module."): value for name, value in state.get("state_dict", state).items()}
            self.model.load_state_dict({name: value for name, value in state.items() if "position_ids" not in name})


def _towers_without_download(tokenizer: Any) -> None:
    """Let `from_pretrained` give the published architectures with random weights, and the tokenizer given."""
    for name in ("RobertaTokenizer", "BertTokenizer", "BartTokenizer"):
        getattr(transformers, name).from_pretrained = classmethod(lambda cls, *a, **k: tokenizer)
    roberta = transformers.RobertaConfig(
        vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
    )
    bart = transformers.BartConfig(
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
    )
    for kind, config in (("Roberta", roberta), ("Bert", transformers.BertConfig()), ("Bart", bart)):
        getattr(transformers, f"{kind}Model").from_pretrained = classmethod(lambda cls, *a, _c=config, **k: cls(_c))


def _clip_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """The CLIP tokenizer inside laion-clap as a tokenizer.json."""
    from clap_module.tokenizer import SimpleTokenizer
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    simple = SimpleTokenizer()
    start, end = "<start_of_text>", "<end_of_text>"
    backend = Tokenizer(
        models.BPE(
            vocab=simple.encoder,
            merges=list(simple.bpe_ranks),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
        )
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(word, simple.encoder[word]) for word in (start, end)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=start, eos_token=end, pad_token=end, model_max_length=MAX_TOKENS
    )


if __name__ == "__main__":
    process.serve(Laion)
