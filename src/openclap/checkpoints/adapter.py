"""What an adapter is: a foreign checkpoint to a bundle, and a bundle to a foreign checkpoint; and the registry of them.

An adapter goes by what a file holds, never by how it is called. It writes each rule about names and shapes once, and
uses it in both directions, so that what was read can be written again (`checkpoints/maps/rules.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from openclap.checkpoints.digests import file_sha256, recorded_sha256
from openclap.checkpoints.native import Bundle
from openclap.registry import Registry


@dataclass(frozen=True, eq=False)
class Source:
    """A checkpoint that has been opened and not yet understood.

    Attributes:
        path: the file or directory.
        config: what the directory's config.json holds; None for a file.
        names: the names of its tensors, without prefixes that wrappers put before all of them ("module.").
        weights: reads the tensors, safely and once; NaN and infinite values are refused there. Large files are mapped
            into memory: copy a tensor before changing it.
        files: where the tensors stand: one file, or the shards of a directory.
        repository: the hub repository that it came from.
        revision: the commit of that repository.
    """

    path: Path
    config: Mapping[str, Any] | None
    names: frozenset[str]
    weights: Callable[[], Mapping[str, Tensor]]
    files: tuple[Path, ...] = field(default=())
    repository: str | None = None
    revision: str | None = None

    def provenance(self, format_name: str) -> dict[str, Any]:
        """What a bundle says of where it came from: format, file, the SHA-256 of its bytes, and hub repository.

        Of shards it is a SHA-256 for each, by name.
        """
        if self.repository is None:
            digests = {path.name: file_sha256(path) for path in self.files}
        else:
            digests = {path.name: recorded_sha256(path, f"{self.repository}/{path.name}") for path in self.files}
        sha256 = digests if len(digests) > 1 else next(iter(digests.values()))
        said: dict[str, Any] = {"format": format_name, "file": self.path.name, "sha256": sha256}
        if self.repository is not None:
            said |= {"repository": self.repository, "revision": self.revision}
        return said


class Adapter(Protocol):
    """One foreign format, in both directions.

    Attributes:
        title: the format's name for people ("LAION-CLAP").
        extension: what the name of a written file ends in (".pt"); "" where a directory is written.
    """

    title: str
    extension: str

    def recognises(self, source: Source) -> bool:
        """Whether the checkpoint is of this format, from its config and the names of its tensors alone."""
        ...

    def read(self, source: Source, tokenizer: str | Path | None) -> Bundle:
        """The checkpoint as a bundle, on the CPU, in evaluation mode.

        Args:
            source: what `recognises` has accepted.
            tokenizer: a directory with tokenizer.json, or a hub name; None takes the checkpoint's own, or where it
                carries none the published one from the hub.

        Raises:
            CheckpointError: if a tensor is missing, left over or misshapen, or something in it has no counterpart here;
                names it.
        """
        ...

    def write(self, bundle: Bundle, path: Path) -> None:
        """Write a bundle so that the format's own project loads it to the same vectors.

        Raises:
            CheckpointError: if the model has no place in that format; names what does not fit.
        """
        ...


adapters: Registry[Adapter] = Registry("checkpoint format", "openclap.checkpoints.adapters")
