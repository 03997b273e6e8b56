"""A bundle in another checkpoint format, kept only if what is read back from there gives the same vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from openclap.atomic import file_written_whole, written_whole
from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.differences import differences
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, is_bundle, save_bundle
from openclap.errors import CheckpointError, UnknownNameError
from openclap.inference import sanity
from openclap.inference.embedder import Embedder

NATIVE = "openclap"
_SHORT = {"hf": "huggingface"}
_MOST_APART = 1e-5  # between vectors before and after; the same weights in another order of summing stay below 1e-6


@dataclass(frozen=True)
class Converted:
    """What came back from a bundle that was written in another format.

    Attributes:
        format: its registered name.
        title: its name for people.
        largest_difference: of vectors before and after, with the front-end that each has: of "text" and of "audio".
        not_kept: what the format has no word for, a sentence each.
    """

    format: str
    title: str
    largest_difference: dict[str, float]
    not_kept: list[str]


def check_place(destination: Path, to: str) -> None:
    """Make sure that a format exists and nothing would be lost, before a model is loaded for it.

    Raises:
        UnknownNameError: if there is no such format.
        CheckpointError: if something is there; only a bundle may take the place of a bundle.
    """
    name = _SHORT.get(to, to)
    if name != NATIVE and name not in adapters.names():
        raise UnknownNameError("checkpoint format", to, [NATIVE, *_SHORT, *adapters.names()])
    if destination.exists() and not (name == NATIVE and is_bundle(destination)):
        raise CheckpointError(
            f"{destination} is there already, and would be lost: give another name, or delete it first"
        )


def convert_bundle(bundle: Bundle, destination: Path, to: str) -> Converted:
    """Write a bundle to where it is to be, unless what comes back from there has other weights.

    Args:
        bundle: the model, on the CPU.
        destination: a file or directory, which appears right and whole or not at all.
        to: a registered checkpoint format, "hf" for "huggingface", or "openclap".

    Raises:
        UnknownNameError: if there is no such format.
        CheckpointError: if something else is there, the model has no place in the format, or it does not come back.
    """
    check_place(destination, to)
    name = _SHORT.get(to, to)
    adapter = None if name == NATIVE else adapters.get(name)
    is_file = adapter is not None and adapter.extension != ""
    with (file_written_whole if is_file else written_whole)(destination) as fresh, TemporaryDirectory() as folder:
        try:
            save_bundle(bundle, fresh) if adapter is None else adapter.write(bundle, fresh)
        except CheckpointError as error:  # which speaks of the place that is written first
            raise CheckpointError(str(error).replace(str(fresh), str(destination))) from error
        if is_file:  # carries no tokenizer: it is read back with the one that it was written with
            bundle.text.tokenizer.save(folder)
        back = load(fresh, tokenizer=folder if is_file else None)
        # A foreign format may have no word for a detail of the front-end. The weights are compared without that.
        config = back.config.model_copy(update={"frontend": bundle.config.frontend})
        worst = max(_apart(bundle, replace(back, frontend=bundle.frontend, config=config)).values())
        if not worst <= _MOST_APART:
            raise CheckpointError(
                f"{destination}: read back, its vectors differ by {worst:.2g} from those of the model that was "
                "written; nothing is kept. This is a defect of openclap: please report it"
            )
        lost = differences({"frontend": bundle.frontend.config.plain()}, {"frontend": back.frontend.config.plain()})
        return Converted(name, NATIVE if adapter is None else adapter.title, _apart(bundle, back), lost)


def _apart(one: Bundle, other: Bundle) -> dict[str, float]:
    """The largest difference of any number of their vectors; 0 where there is no text tower."""
    pairs = zip(sanity.probe(Embedder.from_bundle(one)), sanity.probe(Embedder.from_bundle(other)), strict=True)
    text, audio = (float(np.abs(left - right).max(initial=0.0)) for left, right in pairs)
    return {"text": text, "audio": audio}
