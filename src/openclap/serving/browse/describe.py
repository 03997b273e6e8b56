"""Clips as the page shows them: a line of the list, and everything about one."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

from openclap.audio.decode import audio_info
from openclap.data.example import Example
from openclap.errors import AudioError
from openclap.serving.browse.difference import nearest_difference
from openclap.serving.browse.index import ORIGINAL, makers
from openclap.serving.browse.rejected import RejectedCaption
from openclap.serving.browse.review import Among, Decision

_GLANCE = 160  # characters of a caption that a line of the list has room for


def line(place: int, example: Example, seconds: float, broken: bool, decision: Decision) -> dict[str, Any]:
    """What the list says of a clip."""
    texts = [*example.captions, *(made.text for made in example.made), ", ".join(example.labels)]
    return {
        "place": place,
        "id": example.id,
        "split": example.split,
        "source": example.source,
        "labels": list(example.labels[:8]),
        "seconds": None if math.isnan(seconds) else round(seconds, 3),
        "problem": broken,
        "text": next((text[:_GLANCE] for text in texts if text), ""),
        "captions": len(example.captions) + len(example.made),
        "makers": list(makers(example)),
        "flag": decision.flag,
        "drops": len(decision.drop),
    }


def detail(
    place: int,
    example: Example,
    decision: Decision,
    *,
    root: os.PathLike[str],
    rejected: Sequence[RejectedCaption] = (),
) -> dict[str, Any]:
    """Everything about a clip; of sound that cannot be used, the reason."""
    return {
        "place": place,
        "id": example.id,
        "labels": list(example.labels),
        "facts": [[name, _shown(value)] for name, value in _facts(example, root) if value is not None],
        "captions": list(_captions(example)),
        "rejected": [caption._asdict() for caption in rejected],
        "sound": _sound(example),
        "decision": decision.plain(),
    }


def _facts(example: Example, root: os.PathLike[str]) -> Iterator[tuple[str, Any]]:
    yield "split", example.split
    yield "fold", example.fold
    yield "source", example.source
    below = example.audio.is_relative_to(root)
    yield "file", example.audio.relative_to(root) if below else example.audio
    if example.start_s or example.duration_s is not None:
        end = "the end" if example.duration_s is None else f"{example.start_s + example.duration_s:g} s"
        yield "part of the file", f"{example.start_s:g} s to {end}"
    yield "licence", example.license
    yield "credit", example.credit
    yield from example.extra.items()


def _captions(example: Example) -> Iterator[dict[str, Any]]:
    """Every caption with what it was made from, and the words in which it differs from that."""
    replaced = {text: made.maker for made in example.made if made.replaces for text in made.of}
    for text in example.captions:
        yield _caption("captions", text, ORIGINAL) | {"replaced_by": replaced.get(text)}
    for made in example.made:
        details = [[name, _shown(value)] for name, value in made.details.items()]
        yield _caption("made", made.text, made.maker, made.of) | {
            "replaces": made.replaces,
            "replaced_by": replaced.get(made.text),
            "details": details,
        }
    for negative in example.negatives:
        yield _caption("negatives", negative.text, negative.maker, (negative.of,)) | {"kind": negative.kind}


def _caption(among: Among, text: str, maker: str, of: Sequence[str] = ()) -> dict[str, Any]:
    nearest = nearest_difference(of, text)
    return {
        "among": among,
        "text": text,
        "maker": maker,
        "of": list(of),
        "nearest": nearest and nearest[0],
        "difference": nearest and [list(part) for part in nearest[1]],
    }


def _sound(example: Example) -> dict[str, Any]:
    try:
        info = audio_info(example.audio)
    except AudioError as error:
        return {"error": type(error).__name__, "reason": error.reason}
    rest_s = max(0.0, info.duration_s - example.start_s)
    return {
        "format": info.format,
        "sample_rate_hz": info.sample_rate_hz,
        "channels": info.channels,
        "seconds": rest_s if example.duration_s is None else min(rest_s, example.duration_s),
    }


def _shown(value: Any) -> str:
    """A value as text; nested ones as Python writes them, which reads well enough."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
