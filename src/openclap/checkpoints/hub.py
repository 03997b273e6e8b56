"""Files from the Hugging Face hub: fetched once, kept in its cache, never a pickle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from openclap.errors import CheckpointError

_NAME = re.compile(r"(?P<repository>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")


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
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    match = _NAME.fullmatch(name)
    if match is None:
        raise CheckpointError(f"{name!r} is no hub name: one is written owner/model or owner/model@revision")
    try:
        found = snapshot_download(match["repository"], revision=match["revision"], allow_patterns=list(patterns))
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{name!r} is no directory here, and the Hugging Face hub cannot be reached and has not been asked for it "
            "before: check the path; or connect; or download it elsewhere and give its directory"
        ) from error
    except GatedRepoError as error:
        raise CheckpointError(
            f"{name!r} asks you to accept its terms: do so on its page, then `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"{name!r} is no directory here, and not on the Hugging Face hub for you") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointError(f"{name!r} cannot be fetched from the Hugging Face hub: {error}") from error
    return Path(found)
