"""The public weights of the family, by short names: what for, how large, under which licence, and whose numbers.

`openclap.load("laion-630k-audioset-best")` finds them here. Sizes are about right and no more: they stand where a
person decides whether to download. Licences are those that the repository's page states; "not stated" is all that is
said where none was found. No digests are listed: what a download was is recorded when it comes
(`openclap.checkpoints.hub`).
"""

from __future__ import annotations

from dataclasses import dataclass

from openclap.checkpoints.hub import is_cached
from openclap.errors import CheckpointError

__all__ = ["KNOWN", "KnownWeights", "resolve"]


@dataclass(frozen=True)
class KnownWeights:
    """One published model.

    Attributes:
        name: the short name.
        about_bytes: roughly how much is downloaded.
        purpose: what it is for, in a few words.
        towers: its audio and text encoders, and what sets it apart.
        licence: of the weights, as their page states it; or "not stated".
        numbers: where its published results stand, and the one that is most quoted.
        repository: on the Hugging Face hub; None where it is published elsewhere.
        file: in the repository; None where the whole repository is the model.
        page: where it can be had that is not on the hub.
        problems: what is known to be wrong with it.
    """

    name: str
    about_bytes: int
    purpose: str
    towers: str
    licence: str
    numbers: str
    repository: str | None = None
    file: str | None = None
    page: str | None = None
    problems: str | None = None

    @property
    def place(self) -> str:
        """What `openclap.load` takes for it: "owner/model" or "owner/repository/file.pt".

        Raises:
            CheckpointError: if it is not on the hub; says where it is.
        """
        if self.repository is None:
            raise CheckpointError(
                f"{self.name!r} is not on the Hugging Face hub: fetch it from {self.page}, and give the file's path"
            )
        return self.repository if self.file is None else f"{self.repository}/{self.file}"

    @property
    def is_cached(self) -> bool:
        """Whether it is on this machine, in the hub's cache; asks nobody."""
        if self.repository is None:
            return False
        files = (self.file,) if self.file else ("model.safetensors", "pytorch_model.bin")
        return any(is_cached(self.repository, file) for file in files)


def resolve(name: str) -> KnownWeights | None:
    """The known weights of that short name; None if it is none."""
    return KNOWN.get(name)


_LAION, _MSCLAP = "lukewys/laion_clap", "microsoft/msclap"
_LAION_PAPER, _LAION_README = "arXiv 2211.06687", "README of github.com/LAION-AI/CLAP"
_MS_2023 = "arXiv 2309.05767"
_AUDIOMAE_PAGE = "the links in the README of https://github.com/facebookresearch/AudioMAE"
_AUDIOMAE_LICENCE = "its README says CC BY 4.0, and its LICENSE file CC BY-NC 4.0"
_TEMPORARY = "called a temporary release by its authors"

_ALL = (
    KnownWeights(
        name="laion-630k-best",
        about_bytes=1_860_000_000,
        purpose="general, up to 10 s",
        towers="HTSAT-tiny and RoBERTa, trained on LAION-Audio-630K",
        licence="CC0-1.0",
        numbers=_LAION_PAPER,
        repository=_LAION,
        file="630k-best.pt",
    ),
    KnownWeights(
        name="laion-630k-audioset-best",
        about_bytes=1_860_000_000,
        purpose="general, up to 10 s",
        towers="HTSAT-tiny and RoBERTa, with AudioSet; its authors' default",
        licence="CC0-1.0",
        numbers=f"{_LAION_PAPER}; zero-shot ESC-50, first split, 92.75 % ({_LAION_README})",
        repository=_LAION,
        file="630k-audioset-best.pt",
    ),
    KnownWeights(
        name="laion-630k-fusion-best",
        about_bytes=1_860_000_000,
        purpose="general, any length",
        towers="HTSAT-tiny with feature fusion and RoBERTa, trained on LAION-Audio-630K",
        licence="CC0-1.0",
        numbers=_LAION_PAPER,
        repository=_LAION,
        file="630k-fusion-best.pt",
    ),
    KnownWeights(
        name="laion-630k-audioset-fusion-best",
        about_bytes=1_860_000_000,
        purpose="general, any length",
        towers="HTSAT-tiny with feature fusion and RoBERTa, with AudioSet; its authors' default",
        licence="CC0-1.0",
        numbers=f"{_LAION_PAPER}; zero-shot ESC-50, first split, 90.5 % ({_LAION_README})",
        repository=_LAION,
        file="630k-audioset-fusion-best.pt",
    ),
    KnownWeights(
        name="laion-music-audioset",
        about_bytes=2_350_000_000,
        purpose="music, general",
        towers="HTSAT-base and RoBERTa",
        licence="CC0-1.0",
        numbers=f"zero-shot ESC-50 90.14 %, GTZAN 64 % ({_LAION_README})",
        repository=_LAION,
        file="music_audioset_epoch_15_esc_90.14.pt",
        problems=_TEMPORARY,
    ),
    KnownWeights(
        name="laion-music-speech",
        about_bytes=2_350_000_000,
        purpose="music, speech",
        towers="HTSAT-base and RoBERTa",
        licence="CC0-1.0",
        numbers=f"zero-shot ESC-50 89.25 %, GTZAN 73 % ({_LAION_README})",
        repository=_LAION,
        file="music_speech_epoch_15_esc_89.25.pt",
        problems=_TEMPORARY,
    ),
    KnownWeights(
        name="laion-music-speech-audioset",
        about_bytes=2_350_000_000,
        purpose="music, speech, general",
        towers="HTSAT-base and RoBERTa, trained on about 4 M clips",
        licence="CC0-1.0",
        numbers=f"zero-shot ESC-50 89.98 %, GTZAN 73 % ({_LAION_README})",
        repository=_LAION,
        file="music_speech_audioset_epoch_15_esc_89.98.pt",
        problems=_TEMPORARY,
    ),
    KnownWeights(
        name="hf-clap-htsat-unfused",
        about_bytes=615_000_000,
        purpose="general, up to 10 s",
        towers="laion-630k-audioset-best as a Hugging Face model",
        licence="Apache-2.0",
        numbers=_LAION_PAPER,
        repository="laion/clap-htsat-unfused",
    ),
    KnownWeights(
        name="hf-clap-htsat-fused",
        about_bytes=615_000_000,
        purpose="general, any length",
        towers="laion-630k-audioset-fusion-best as a Hugging Face model",
        licence="Apache-2.0",
        numbers=_LAION_PAPER,
        repository="laion/clap-htsat-fused",
    ),
    KnownWeights(
        name="hf-larger-clap-general",
        about_bytes=775_000_000,
        purpose="music, speech, general",
        towers="HTSAT-base and RoBERTa",
        licence="Apache-2.0",
        numbers="none of its own; see laion-music-speech-audioset",
        repository="laion/larger_clap_general",
    ),
    KnownWeights(
        name="hf-larger-clap-music",
        about_bytes=775_000_000,
        purpose="music; sound to sound only",
        towers="HTSAT-base and RoBERTa",
        licence="Apache-2.0",
        numbers="none of its own; it is not known which laion file it was made from (LAION-AI/CLAP, discussion 172)",
        repository="laion/larger_clap_music",
        problems=(
            "its text tower gives nearly one vector for every text: mean cosine of unrelated captions 0.9993, where "
            "hf-clap-htsat-unfused has 0.18 (embeddings-benchmark/mteb, issue 5069)"
        ),
    ),
    KnownWeights(
        name="hf-larger-clap-music-and-speech",
        about_bytes=775_000_000,
        purpose="music, speech",
        towers="HTSAT-base and RoBERTa",
        licence="Apache-2.0",
        numbers="none of its own; see laion-music-speech",
        repository="laion/larger_clap_music_and_speech",
    ),
    KnownWeights(
        name="msclap-2022",
        about_bytes=2_330_000_000,
        purpose="general, up to 5 s",
        towers="CNN14 and BERT",
        licence="MS-PL",
        numbers="arXiv 2206.04769",
        repository=_MSCLAP,
        file="CLAP_weights_2022.pth",
    ),
    KnownWeights(
        name="msclap-2023",
        about_bytes=690_000_000,
        purpose="general, up to 7 s",
        towers="HTSAT and GPT-2",
        licence="MS-PL",
        numbers=f"{_MS_2023}, 26 tasks; zero-shot ESC-50 93.9 %",
        repository=_MSCLAP,
        file="CLAP_weights_2023.pth",
        problems='a "!" in a caption moves the place that its text is read at (docs/compat.md)',
    ),
    KnownWeights(
        name="msclap-clapcap-2023",
        about_bytes=1_710_000_000,
        purpose="captions of sound",
        towers="the audio tower of msclap-2023, and GPT-2 with a prefix",
        licence="MS-PL",
        numbers=f"{_MS_2023}; SPIDEr AudioCaps 0.455, Clotho 0.271",
        repository=_MSCLAP,
        file="clapcap_weights_2023.pth",
        problems="a captioner, and no model of one space: training may start from its audio tower (`audio_init`)",
    ),
    KnownWeights(
        name="audiomae-pretrained",
        about_bytes=550_000_000,
        purpose="to start training from",
        towers="ViT-B and its decoder; audio_init takes the file",
        licence="CC BY-NC 4.0",
        numbers="arXiv 2207.06405",
        page=f"{_AUDIOMAE_PAGE} (pretrained.pth)",
        problems=_AUDIOMAE_LICENCE,
    ),
    KnownWeights(
        name="audiomae-finetuned",
        about_bytes=345_000_000,
        purpose="to start training from",
        towers="ViT-B, fine-tuned on AudioSet; audio_init takes the file",
        licence="CC BY-NC 4.0",
        numbers="arXiv 2207.06405; AudioSet 47.3 mAP",
        page=f"{_AUDIOMAE_PAGE} (finetuned.pth)",
        problems=_AUDIOMAE_LICENCE,
    ),
)

KNOWN = {weights.name: weights for weights in _ALL}
"""Every known public checkpoint by its short name, in the order of families."""
