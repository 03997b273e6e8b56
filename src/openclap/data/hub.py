"""The files of a data set on the Hugging Face hub, with the sizes and checksums that the hub gives for them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

from openclap.data.fetch import RemoteFile
from openclap.errors import DataError, first_line

_ARCHIVES = {".zip": "zip", ".tar.gz": "tar", ".tgz": "tar", ".7z": "7z"}


def hub_files(
    repository: str, *patterns: str, revision: str | None = None, unpack: bool = False
) -> Iterator[RemoteFile]:
    """The files of a public data set that fit any of the patterns; all of them without one. Asks the hub.

    Args:
        repository: "owner/name".
        patterns: of paths, as "data/*.parquet" (`*` goes across folders).
        revision: a branch, tag or commit.
        unpack: archives are to be unpacked where they lie.

    Raises:
        DataError: if there is no such data set, or the hub cannot be asked.
    """
    import huggingface_hub
    from huggingface_hub.hf_api import RepoFile

    try:
        found = huggingface_hub.HfApi().list_repo_tree(
            repository, recursive=True, revision=revision, repo_type="dataset"
        )
        files = [file for file in found if isinstance(file, RepoFile)]
    except Exception as error:  # whatever its client raises: requests', httpx' and its own errors
        raise DataError(f"{repository}: its files on the hub cannot be listed ({first_line(error)})") from error
    for file in files:
        if patterns and not any(fnmatch(file.path, pattern) for pattern in patterns):
            continue
        kind = next((kind for suffix, kind in _ARCHIVES.items() if file.path.lower().endswith(suffix)), "no")
        yield RemoteFile(
            name=file.path,
            url=huggingface_hub.hf_hub_url(repository, file.path, repo_type="dataset", revision=revision),
            bytes=file.size,
            sha256=None if file.lfs is None else file.lfs.sha256,
            unpack=kind if unpack else "no",
        )
