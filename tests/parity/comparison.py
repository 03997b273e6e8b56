"""One comparison: what the peer gave for sounds and texts, what openclap gives, and the largest differences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from openclap.audio.decode import decode
from openclap.audio.resample import resample
from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle
from openclap.inference.embedder import Embedder

UNIT_BAR = 2e-5
"""Largest difference of a number in a unit vector: float32 through some 40 layers, added up in another order."""

FEATURES_BAR_DB = 0.01
"""Largest difference of features, of those at most 80 dB below the loudest; the rest is float32's rounding."""


TOO_LONG = 4
"""Which of the texts is longer than 77 tokens."""


class Row(NamedTuple):
    """Largest absolute differences; of pooled vectors in relation to the peer's largest number."""

    peer: str
    what: str
    features_db: float | None = None
    pooled: float | None = None
    audio: float | None = None
    text: float | None = None
    similarity: float | None = None


@dataclass(frozen=True)
class Sounds:
    """Real clips of three lengths, by name."""

    paths: dict[str, Path]

    def at(self, rate_hz: int, window: int, *, fused: bool, hop: int = 480) -> dict[str, np.ndarray]:
        """The clips that a peer is given, at its rate; of a plain model, a long clip's windows.

        Args:
            rate_hz: the peer's rate.
            window: samples that its model hears at once.
            fused: whether it takes long clips whole.
            hop: samples from a frame to the next.
        """
        short, middling, long = (resample(decode(path), rate_hz).samples for path in self.paths.values())
        exact = long[window // 3 : window // 3 + window]
        found = {"short": short, "middling": middling[:window], "exact": exact}
        if fused:  # two frames over: each third has one place only; less than a hop over: not longer at all
            found |= {"two-over": long[: window + 2 * hop], "less-than-a-hop": long[: window + hop - 1], "long": long}
        else:
            starts = [*range(0, len(long) - window, window), len(long) - window]
            found |= {f"long/{index}": long[start : start + window] for index, start in enumerate(starts)}
        return found


class Ours(NamedTuple):
    """What openclap gives for the same sounds and texts."""

    features: dict[str, np.ndarray]
    audio_pooled: dict[str, np.ndarray]
    audio: dict[str, np.ndarray]
    text_pooled: np.ndarray
    text: np.ndarray


def there_and_back(
    peer: Any,
    what: str,
    case: dict[str, Any],
    adapter: str,
    sounds: Sounds,
    texts: Sequence[str],
    folder: Path,
    files: Sequence[Path] = (),
    *,
    back: bool = True,
) -> list[Row]:
    """A peer's checkpoint loaded here, written again in the peer's format, and loaded there.

    Args:
        peer: the peer's process (conftest.Peer).
        what: the case in words.
        case: the case as the peer's script takes it.
        adapter: the name of openclap's adapter of the format.
        sounds: real clips.
        texts: any texts.
        folder: where files go.
        files: sound files that each side decodes itself.
        back: whether to write the checkpoint again.

    Returns:
        openclap's vectors against the peer's; those of the files; the peer's vectors of openclap's checkpoint against
        those of its own.
    """
    made = peer.ask("make", case=case, folder=folder)
    clips = sounds.at(made["sample_rate_hz"], made["window"], fused=made["fused"])
    write_given(folder, clips, texts)
    peer.ask("embed", folder=folder, to="theirs.npz")
    theirs = dict(np.load(folder / "theirs.npz"))
    lively(theirs)

    path = Path(made["file"])
    bundle = load(path) if path.is_dir() else load(path, tokenizer=folder / "tokenizer")
    assert float(bundle.model.logit_scale.detach()) == pytest.approx(float(theirs["logit-scale"]))
    rows = [compare(made["peer"], what, theirs, embed(bundle, clips, texts))]
    if files:
        rows.append(from_files(peer, made["peer"], what, Embedder.from_bundle(bundle), files, folder))
    if not back:
        return rows

    written = folder / f"ours{path.suffix}"
    adapters.get(adapter).write(bundle, written)
    del bundle
    assert peer.ask("load", file=written) == {"not_finite": []}
    peer.ask("embed", folder=folder, to="back.npz")
    again = dict(np.load(folder / "back.npz"))
    differences = {name: largest(again[name], theirs[name]) for name in theirs}
    audio = max(value for name, value in differences.items() if name.startswith("audio/"))
    return [*rows, Row(made["peer"], f"{what}, written here", audio=audio, text=differences["text"])]


@torch.inference_mode()
def embed(bundle: Bundle, clips: dict[str, np.ndarray], texts: Sequence[str]) -> Ours:
    """Features, pooled and unit vectors of clips and texts; the unit vectors by `Embedder`, as a user gets them."""
    embedder = Embedder.from_bundle(bundle)
    frontend, model, rate_hz = bundle.frontend, bundle.model, bundle.frontend.config.sample_rate_hz
    features, pooled = {}, {}
    for name, clip in clips.items():
        batch = frontend.batch([frontend.fit(clip)])
        given = frontend(batch)
        features[name] = given[0].numpy()
        pooled[name] = model.audio_encoder(given, batch.is_longer).pooled[0].numpy()
    vectors = embedder.embed_audio(list(clips.values()), sample_rate_hz=rate_hz)
    tokens = bundle.tokenizer(texts)
    text_pooled = model.text_encoder(tokens.input_ids, tokens.attention_mask).pooled.numpy()
    audio = dict(zip(clips, vectors, strict=True))
    return Ours(features, pooled, audio, text_pooled, embedder.embed_text(list(texts)))


def compare(peer: str, what: str, theirs: dict[str, np.ndarray], ours: Ours) -> Row:
    """The largest differences between the two sides; `theirs` as peers_process.py writes it."""
    audio, wanted = np.stack(list(ours.audio.values())), np.stack([theirs[f"audio/{name}"] for name in ours.audio])
    pooled = [_relative(found, theirs[f"audio-pooled/{name}"]) for name, found in ours.audio_pooled.items()]
    return Row(
        peer=peer,
        what=what,
        features_db=max(features_db(ours.features[name], theirs[f"features/{name}"]) for name in ours.features),
        pooled=max([*pooled, _relative(ours.text_pooled, theirs["text-pooled"])]),
        audio=largest(audio, wanted),
        text=largest(ours.text, theirs["text"]),
        similarity=largest(audio @ ours.text.T, wanted @ theirs["text"].T),
    )


def check(*rows: Row) -> None:
    """Make sure that the differences stay below the bars."""
    for row in rows:
        assert row.features_db is None or row.features_db <= FEATURES_BAR_DB, row
        # A cosine adds up as many products as a vector has numbers, but their errors have both signs.
        for difference in (row.audio, row.text, row.similarity):
            assert difference is None or difference <= UNIT_BAR, row


def lively(theirs: dict[str, np.ndarray]) -> None:
    """Make sure that the peer's vectors could show a mistake: clips and texts far enough apart, no dead numbers."""
    clips = np.stack([value for name, value in theirs.items() if name.startswith("audio/") and "less-than" not in name])
    for vectors in (clips, np.unique(theirs["text"], axis=0)):
        cosines = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
        assert cosines.mean() < 0.95, f"vectors are alike: cosines {cosines.min():.4f} to {cosines.max():.4f}"
        assert (vectors.std(axis=0) > 1e-4).mean() > 0.9


def features_db(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of log-mel features, no more than 80 dB below the loudest."""
    theirs = theirs if theirs.ndim == 3 else theirs[None]
    assert ours.shape == theirs.shape, f"features of shape {ours.shape}, the peer's {theirs.shape}"
    return largest(*(side[theirs > theirs.max() - 80] for side in (ours, theirs)))


def largest(left: np.ndarray, right: np.ndarray) -> float:
    """The largest absolute difference; NaN counts as infinite."""
    assert left.shape == right.shape, f"shapes {left.shape} and {right.shape}"
    return float(np.nan_to_num(np.abs(left.astype(np.float64) - right), nan=np.inf).max())


def from_files(peer: Any, name: str, what: str, embedder: Embedder, paths: Sequence[Path], folder: Path) -> Row:
    """The vectors of sound files, each side with its own decoding and resampling."""
    peer.ask("files", paths=paths, to=folder / "files.npz")
    theirs = np.load(folder / "files.npz")["audio"]
    return Row(name, f"{what}, from the file on", audio=largest(embedder.embed_audio(list(paths)), theirs))


def write_given(folder: Path, clips: dict[str, np.ndarray], texts: Sequence[str]) -> None:
    """Put clips and texts where the peer's process reads them."""
    np.savez(folder / "sounds.npz", **clips)
    (folder / "texts.json").write_text(json.dumps(list(texts)))


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as a Markdown table."""
    lines = [
        "| peer | what | features, dB | pooled, relative | audio vectors | text vectors | similarity |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        numbers = (row.features_db, row.pooled, row.audio, row.text, row.similarity)
        cells = ["" if number is None else f"{number:.1e}" for number in numbers]
        lines.append(f"| {row.peer} | {row.what} | {' | '.join(cells)} |")
    return lines


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return largest(ours, theirs) / float(np.abs(theirs).max())
