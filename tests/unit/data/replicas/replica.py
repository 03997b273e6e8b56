"""What a replica of a corpus is: the official layout in miniature, with real file and column names, made by the test.

`replica_NAME.py` (hyphens as underscores) stands for the corpus NAME and has one function, `build(raw) -> Expected`: it
writes two to six clips and the tables as they are published, and says what must come of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


@dataclass(frozen=True)
class Expected:
    """What `prepare` must make of a replica.

    Attributes:
        splits: clips a split; "" for those of none.
        clips: by id, what a clip must say: names of Example's fields, and of anything in its `extra`.
        missing: clips whose sound the replica leaves out: at least one, where tables list clips.
        options: of `prepare`, where it needs some.
    """

    splits: Mapping[str, int]
    clips: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


def sound(path: Path, *, seconds: float = 0.1, rate_hz: int = 16000) -> Path:
    """A short noise, which no other path gives, as a file of the kind that the suffix names."""
    samples = np.random.default_rng(list(path.name.encode())).uniform(-0.5, 0.5, round(seconds * rate_hz))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)
    return path


def text(path: Path, *lines: str, encoding: str = "utf-8", newline: str = "\n") -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + newline for line in lines).encode(encoding))
    return path
