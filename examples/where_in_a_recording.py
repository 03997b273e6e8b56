"""Where in a long recording is it?

python where_in_a_recording.py MODEL RECORDING "a siren" …
"""

from __future__ import annotations

import sys

import numpy as np

import openclap


def main(model_path: str, recording: str, *queries: str) -> None:
    model = openclap.load(model_path)
    (windows,) = model.embed_audio([recording], windows=True)
    vectors = np.stack([window.vector for window in windows])
    for query, scores in zip(queries, model.similarity(model.embed_text(queries), vectors), strict=True):
        best = windows[scores.argmax()]
        print(f"{query}: {best.start_s:.1f} s to {best.end_s:.1f} s ({scores.max():.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
