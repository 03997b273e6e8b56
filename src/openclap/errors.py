"""Every error that openclap raises on purpose.

    OpenclapError                      exit code 1
    ├── ConfigError                    2   a setting is wrong (also a ValueError)
    │   └── UnknownNameError               no such recipe, encoder, task, …: the nearest names are given
    ├── AudioError                     3   sound that cannot be used; has .source and .reason
    │   ├── AudioNotFoundError             no such file
    │   ├── AudioDecodeError               not a sound file, or broken inside
    │   ├── AudioFormatError               a format that needs an extra, or an array with a wrong shape or type
    │   ├── EmptyAudioError                no samples
    │   ├── TruncatedAudioError            the file ends before its own header says
    │   ├── SilentAudioError               every sample is zero
    │   └── NonFiniteAudioError            NaN or infinity among the samples
    ├── DataError                      3   a manifest or corpus cannot be used
    │   ├── ManifestError                  has .path and .line
    │   └── TooManyBadSamplesError         more clips failed than the ceiling allows
    ├── MissingExtraError              4   an optional dependency is not installed (also an ImportError)
    ├── CheckpointError                5   a checkpoint cannot be read, or does not fit
    ├── TrainingError                  6   training cannot go on
    │   └── NonFiniteError                 a loss or gradient became NaN or infinite
    ├── EvaluationError                7   an evaluation cannot be done on this data
    ├── IdentityError                  8   vectors of different models (or of one used differently) would be mixed
    └── CaptionError                   9   making captions cannot go on

Two warnings (of UserWarning): SanityWarning says that a model which could be loaded looks broken: what it computes is
given, and should not be trusted. PrecisionWarning says that a precision exists on a device, but does not pay there.

The command line prints the message and exits with the code; codes are stable. Usage errors of the command line itself
exit with 2, an interrupt with 130, SIGTERM during training (after saving) with 143.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class OpenclapError(Exception):
    """Base of all errors that openclap raises on purpose."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way back from a loader's worker process: exceptions are pickled by their message only."""
        return _rebuild, (type(self), str(self), self.__dict__)


class ConfigError(OpenclapError, ValueError):
    """A setting is wrong: says which, what was given and what is expected."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A name is not registered: says the nearest names, or all of them when none is near."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {kind} named {name!r}{did_you_mean(name, known)}")
        self.kind, self.name = kind, name


class AudioError(OpenclapError):
    """Sound that cannot be used.

    Args:
        source: the path, or what stands for it ("<bytes>", "<array>").
        reason: what is wrong and what to do, as a sentence without the source.
    """

    exit_code = 3

    def __init__(self, source: str | Path, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source, self.reason = str(source), reason


class AudioNotFoundError(AudioError):
    """There is no such file."""


class AudioDecodeError(AudioError):
    """The file is not sound, or is broken inside."""


class AudioFormatError(AudioError):
    """The format needs an extra, or an array has a wrong shape, type or no rate."""


class EmptyAudioError(AudioError):
    """There are no samples."""


class TruncatedAudioError(AudioError):
    """The file ends before its own header says."""


class SilentAudioError(AudioError):
    """Every sample is zero."""


class NonFiniteAudioError(AudioError):
    """There are NaN or infinite samples."""


class DataError(OpenclapError):
    """A manifest or corpus cannot be used."""

    exit_code = 3


class ManifestError(DataError):
    """A manifest is wrong at a line.

    Args:
        path: the manifest.
        reason: what is wrong and what to do.
        line: 1-based line (row for Parquet, None for a folder or the whole file).
    """

    def __init__(self, path: str | Path, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {reason}")
        self.path, self.reason, self.line = str(path), reason, line


class TooManyBadSamplesError(DataError):
    """More clips failed to load than the ceiling allows: says how many, and the first of them with their reasons."""


class MissingExtraError(OpenclapError, ImportError):
    """An optional dependency is not installed: says which extra brings it."""

    exit_code = 4

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package!r}, which is not installed: pip install 'openclap[{extra}]'")
        self.package, self.extra = package, extra


class CheckpointError(OpenclapError):
    """A checkpoint cannot be read, or does not fit what it is loaded into."""

    exit_code = 5


class TrainingError(OpenclapError):
    """Training cannot go on."""

    exit_code = 6


class NonFiniteError(TrainingError):
    """A loss or a gradient became NaN or infinite: says where and at which step."""


class EvaluationError(OpenclapError):
    """An evaluation cannot be done on this data."""

    exit_code = 7


class IdentityError(OpenclapError):
    """Vectors of different embedding identities would be mixed: says which, and whose they are."""

    exit_code = 8


class CaptionError(OpenclapError):
    """Making captions cannot go on: a model or a service does not answer as it must, or a budget is spent."""

    exit_code = 9


class PrecisionWarning(UserWarning):
    """A precision that was asked for exists on the device, but is slower there than "fp32": says what to take."""


class SanityWarning(UserWarning):
    """A loaded model looks broken: says which check it failed, with figures, what that means and what to do.

    Args:
        model: the model's name.
        check: the name of the check (`openclap.inference.sanity` lists them).
        reason: figures, meaning and advice, as one sentence.
    """

    def __init__(self, model: str, check: str, reason: str) -> None:
        super().__init__(model, check, reason)  # all three, so that it survives the way back from a worker process
        self.model, self.check, self.reason = model, check, reason

    def __str__(self) -> str:
        return f"{self.model}: check {self.check!r} failed: {self.reason}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of an error message about an unknown name: the nearest known names, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; known: {', '.join(names)}" if names else "; none is known"


def some(names: Iterable[str], most: int = 4) -> str:
    """The first of some names and how many more there are, for an error message; "nothing" where there are none."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more


def first_line(error: BaseException) -> str:
    """What another library's error says first, for an error message of ours; its name where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _rebuild(cls: type[OpenclapError], message: str, state: dict[str, Any]) -> OpenclapError:
    error = cls.__new__(cls)
    error.args = (message,)
    error.__dict__.update(state)
    return error
