"""Files from the Hugging Face hub: fetched once, kept in its cache, and the same ever after.

Cache, access and connection are huggingface_hub's, and a file appears under its name only when it is whole. What is
added: a large download goes on after a kill (`download.py`); weights are hashed when they come and compared when they
are used (`digests.py`); and what goes wrong is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openclap.checkpoints.digests import recorded_sha256
from openclap.checkpoints.download import download_large
from openclap.errors import CheckpointError

__all__ = ["Downloaded", "fetch", "fetch_file", "is_cached", "is_hub_name"]

_NAME = re.compile(r"(?P<repository>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


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
        found = Path(snapshot_download(match["repository"], revision=match["revision"], allow_patterns=list(patterns)))
    for path in sorted(found.iterdir()):
        if path.suffix in _WEIGHTS:
            recorded_sha256(path, f"{match['repository']}/{path.name}")
    return found


def fetch_file(repository: str, file: str, revision: str | None = None) -> Downloaded:
    """One file of a hub repository; from the cache, if it is there, without asking the hub.

    A download that was interrupted goes on where it was.

    Args:
        repository: "owner/name".
        file: its path in the repository.
        revision: a branch, tag or commit; None is the main branch, as it was when the file was fetched.

    Raises:
        CheckpointError: as for `fetch`; and if the file is not the one that the hub has, or that was fetched once.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{file}"
    with _in_words(f"{repository}/{file}", repository, wanted):
        try:
            path = Path(hf_hub_download(repository, file, revision=revision, local_files_only=True))
        except LocalEntryNotFoundError:
            download_large(repository, file, revision)
            path = Path(hf_hub_download(repository, file, revision=revision))
    commit = path.parents[len(Path(file).parts) - 1].name  # …/snapshots/COMMIT/FILE
    return Downloaded(path, recorded_sha256(path, f"{repository}/{file}"), repository, commit)


def is_cached(repository: str, file: str) -> bool:
    """Whether the cache has a file of a repository's main branch; asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, file), str)


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
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    elsewhere = (
        f"or fetch {wanted} on another machine and give the path here; or copy the folder {_cache_folder(repository)} "
        f"from the cache of a machine that has it into {constants.HF_HUB_CACHE}"
    )
    try:
        yield
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise CheckpointError(
            f"{name!r} is no directory here, and the Hugging Face hub cannot be reached and has not been asked for it "
            f"before: check the path; or connect; {elsewhere}"
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
            f"{name!r} is not on this machine, and the Hugging Face hub cannot be reached, or the connection broke "
            f"({error}): connect, and ask for it once more; {elsewhere}"
        ) from error


def _cache_folder(repository: str) -> str:
    return "models--" + repository.replace("/", "--")
