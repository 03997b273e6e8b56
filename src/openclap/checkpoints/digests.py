"""SHA-256 of files in the hub's cache: computed once, recorded, and compared when a file has been touched since."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from openclap.atomic import file_written_whole
from openclap.errors import CheckpointError

SHA256 = re.compile(r"[0-9a-f]{64}")


def file_sha256(path: Path) -> str:
    """SHA-256 hex of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded_sha256(path: Path, name: str) -> str:
    """The digest of a file in the hub's cache.

    It is computed when the file is first seen, and compared with the one that the hub names the file by, where it does.
    Later the record stands as long as size and time of the file do; else it is computed again, and compared with it.

    Args:
        path: the file.
        name: what it is called in messages.

    Raises:
        CheckpointError: if it is not what the hub promised, or not what it was.
    """
    from huggingface_hub import constants

    blob = path.resolve()
    stat = blob.stat()
    seen = {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    place = hashlib.sha256(str(blob).encode(errors="surrogateescape")).hexdigest()
    record = Path(constants.HF_HOME, "openclap", "sha256", f"{place}.json")
    known = _read(record)
    if known is not None and seen.items() <= known.items():
        return str(known["sha256"])
    found = file_sha256(blob)
    promised = known["sha256"] if known is not None else blob.name if SHA256.fullmatch(blob.name) else found
    if found != promised:
        raise CheckpointError(
            f"{name}: its bytes have SHA-256 {found}, but must have {promised}: the copy in the cache is damaged or "
            f"was changed; delete {blob}, and it is fetched again"
        )
    with file_written_whole(record) as fresh:
        fresh.write_text(json.dumps({"name": name, "sha256": found, **seen}), encoding="utf-8")
    return found


def _read(record: Path) -> dict[str, object] | None:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and SHA256.fullmatch(str(known.get("sha256"))) else None
