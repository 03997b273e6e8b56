"""Find sounds by words.

python search_a_folder.py MODEL FOLDER "a dog barks" …
"""

from __future__ import annotations

import sys
from pathlib import Path

import openclap

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff"}


def main(model_path: str, folder: str, *queries: str) -> None:
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    model = openclap.load(model_path)
    sounds = model.embed_audio(files)  # (N, E), unit length
    texts = model.embed_text(queries)  # (Q, E)
    for query, scores in zip(queries, model.similarity(texts, sounds), strict=True):
        print(query)
        for place in scores.argsort()[::-1][:5]:
            print(f"  {scores[place]:.3f}  {files[place]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
