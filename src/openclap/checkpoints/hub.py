"""Files from the Hugging Face hub: fetched once, kept in its cache, and the same ever after.

The cache, its locks and the connection are huggingface_hub's. A connection that breaks is taken up where it broke; a
file appears under its name only when it is whole. What is added here: weights are hashed when they come, compared with
the hub's own digest where it gives one, and with what was recorded when they are used again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openclap.atomic import file_written_whole
from openclap.errors import CheckpointError

__all__ = ["Downloaded", "fetch", "fetch_file", "file_sha256", "is_cached", "is_hub_name"]

_NAME = re.compile(r"(?P<repository>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Downloaded:
    """One file of a hub repository, on this machine.

    Attributes:
        path: where it is; inside the hub's cache, so leave it as it is.
        sha256: hex, of its bytes.
        repository: "owner/name".
        revision: the commit that it is of.
    """

    path: Path
    sha256: str
    repository: str
    revision: str


def is_hub_name(name: str) -> bool:
    """Whether a text could name a hub repository: "model", "owner/model", or one of them with "@revision"."""
    return _NAME.fullmatch(name) is not None and not name.startswith((".", "-"))


def fetch(name: str, patterns: Sequence[str]) -> Path:
    """The local directory with a hub repository's files.

    Args:
        name: "owner/model", or "owner/model@revision" for a branch, tag or commit.
        patterns: which files, as in "*.json"; what the repository lacks is left out.

    Raises:
        CheckpointError: if they cannot be had: no such repository or revision, no access, or no network and not in the
            cache. Says which, and what to do.
    """
    from huggingface_hub import snapshot_download

    match = _NAME.fullmatch(name)
    if match is None:
        raise CheckpointError(f"{name!r} is no hub name: one is written owner/model or owner/model@revision")
    with _in_words(name, match["repository"], f"all files of {_page(match['repository'], match['revision'])}"):
        return Path(snapshot_download(match["repository"], revision=match["revision"], allow_patterns=list(patterns)))


def fetch_file(repository: str, file: str, revision: str | None = None) -> Downloaded:
    """One file of a hub repository, from the cache or fetched into it.

    Args:
        repository: "owner/name".
        file: its path in the repository.
        revision: a branch, tag or commit; None is the main branch.

    Raises:
        CheckpointError: as for `fetch`; and if the file is not the one that the hub has, or that was fetched once.
    """
    from huggingface_hub import hf_hub_download

    wanted = f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{file}"
    with _in_words(f"{repository}/{file}", repository, wanted):
        path = Path(hf_hub_download(repository, file, revision=revision))
    commit = path.parents[len(Path(file).parts) - 1].name  # …/snapshots/COMMIT/FILE
    return Downloaded(path, _recorded_sha256(path, f"{repository}/{file}"), repository, commit)


def is_cached(repository: str, file: str) -> bool:
    """Whether the cache has a file of a repository's main branch; asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, file), str)


def file_sha256(path: Path) -> str:
    """SHA-256 hex of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded_sha256(path: Path, name: str) -> str:
    """The digest of a file in the cache: computed when it is first seen or has been touched since, and compared.

    Raises:
        CheckpointError: if it is not what the hub promised, or not what it was.
    """
    from huggingface_hub import constants

    blob = path.resolve()
    stat = blob.stat()
    seen = {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    record = Path(constants.HF_HOME, "openclap", "sha256", f"{hashlib.sha256(str(blob).encode()).hexdigest()}.json")
    known = _read_record(record)
    if known is not None and seen.items() <= known.items():
        return str(known["sha256"])
    found = file_sha256(blob)
    # The hub names large files by their SHA-256, and the cache keeps that name.
    promised = known["sha256"] if known is not None else blob.name if _SHA256.fullmatch(blob.name) else found
    if found != promised:
        raise CheckpointError(
            f"{name}: its bytes have SHA-256 {found}, but must have {promised}: the copy in the cache is damaged or "
            f"was changed; delete {blob}, and it is fetched again"
        )
    with file_written_whole(record) as fresh:
        fresh.write_text(json.dumps({"name": name, "path": str(blob), "sha256": found, **seen}), encoding="utf-8")
    return found


def _read_record(path: Path) -> dict[str, object] | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and _SHA256.fullmatch(str(known.get("sha256"))) else None


def _page(repository: str, revision: str | None) -> str:
    return f"https://huggingface.co/{repository}" + (f"/tree/{revision}" if revision else "")


@contextmanager
def _in_words(name: str, repository: str, wanted: str) -> Iterator[None]:
    """Whatever the hub's library raises, as one error that says what to do.

    Args:
        name: what was asked for, as the user wrote it.
        repository: the repository.
        wanted: what to fetch on another machine, where this one is offline.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{name!r} is no directory here, and the Hugging Face hub cannot be reached and has not been asked for it "
            f"before: check the path; or connect; or fetch {wanted} on another machine and give their path here; or "
            f"copy {_cache_folder(repository)} from the cache of a machine that has it into {constants.HF_HUB_CACHE}"
        ) from error
    except GatedRepoError as error:
        raise CheckpointError(
            f"{name!r} asks you to accept its terms: do so on its page, then `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"{name!r} is no directory here, and not on the Hugging Face hub for you") from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{name!r}: {repository} is on the Hugging Face hub, but has no such revision") from error
    except EntryNotFoundError as error:
        raise CheckpointError(f"{name!r}: {repository} is on the Hugging Face hub, but has no such file") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointError(f"{name!r} cannot be fetched from the Hugging Face hub: {error}") from error
    except Exception as error:
        if "http" not in type(error).__module__:  # its HTTP library, which changes between its versions
            raise
        raise CheckpointError(
            f"{name!r}: the connection to the Hugging Face hub broke, and again when it was tried again ({error}): ask "
            "for it once more"
        ) from error


def _cache_folder(repository: str) -> str:
    return "models--" + repository.replace("/", "--")
