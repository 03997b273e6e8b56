"""Models of Hugging Face `transformers` that stages run in this process: which they are, and what they run on."""

from __future__ import annotations

import hashlib
from pathlib import Path

_DECIDING = {".json", ".safetensors", ".bin", ".model", ".txt", ".jinja"}


def folder_digest(folder: Path) -> str:
    """Twelve hex digits for what the files of a model's folder hold; "" where there is no such folder.

    A copy is the same model, whatever the times of its files. One that was trained further in its place is another.
    """
    if not folder.is_dir():
        return ""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _DECIDING and path.is_file():
            with path.open("rb") as file:
                total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()[:12]


def device_for(name: str) -> str:
    """The device that is meant: "auto" is a GPU if there is one."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
