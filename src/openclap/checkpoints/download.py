"""A large file of the hub into its cache, so that a download which was killed goes on where it was.

huggingface_hub takes up a connection that breaks, but begins again in the next process (seen in 2.4: the unfinished
file's name is random). Here the unfinished file keeps its name; it gets its place in the cache when its SHA-256 is the
one that the hub gives for it, and huggingface_hub then finds it there.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from openclap.checkpoints.digests import SHA256, file_sha256
from openclap.errors import CheckpointError

_LARGE_BYTES = 10_000_000  # what huggingface_hub writes at once: below, nothing unfinished could be kept


def download_large(repository: str, file: str, revision: str | None) -> None:
    """Bring a large file's bytes into the hub's cache, unless they are there; small files are left to huggingface_hub.

    Raises:
        CheckpointError: if the bytes are not what the hub says that they are.
        Exception: whatever huggingface_hub raises.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]  # imported for others, unmarked

    url = hf_hub_url(repository, file, revision=revision)
    known = get_hf_file_metadata(url)
    # Large files are named by their SHA-256; others by a digest that bytes cannot be compared with.
    if known.size is None or known.size < _LARGE_BYTES or known.etag is None or not SHA256.fullmatch(known.etag):
        return
    cache, name = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=repository, repo_type="model")
    blob, partial = cache / name / "blobs" / known.etag, cache / name / "blobs" / f"{known.etag}.unfinished"
    lock = cache / ".locks" / name / f"{known.etag}.lock"  # huggingface_hub's own for this file
    for path in (blob, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(known.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the token is the hub's business, and not its storage's
    with WeakFileLock(lock):
        if blob.exists():  # perhaps since another process has let go of the lock
            return
        with partial.open("ab") as unfinished:
            have = unfinished.tell()
            if have < known.size:
                http_get(
                    known.location,
                    unfinished,
                    resume_size=have,
                    headers=headers,
                    expected_size=known.size,
                    displayed_filename=file,
                )
        found = file_sha256(partial)
        if found != known.etag:
            partial.unlink()
            raise CheckpointError(
                f"{repository}/{file}: came with SHA-256 {found}, but the hub says {known.etag}: the connection or the "
                "server has changed it; ask for it once more"
            )
        partial.replace(blob)
