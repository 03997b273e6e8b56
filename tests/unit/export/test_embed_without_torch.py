"""The example embeds files as openclap does, in a process in which torch and openclap cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.cli import export
from openclap.export.write import OPSET
from openclap.inference.embedder import Embedder

from .conftest import TEXTS

pytest.importorskip("onnxruntime", reason="needs the extra 'export'")

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "embed_without_torch.py"
BLOCKED = """
import runpy, sys
sys.modules.update(dict.fromkeys(["torch", "openclap", "transformers"]))  # importing one of them fails
example, exported, out, sound, *texts = sys.argv[1:]
functions = runpy.run_path(example)
import json, numpy, pathlib
folder = pathlib.Path(exported)
about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
audio, text = functions["embed_audio"](folder, about, sound), functions["embed_text"](folder, about, texts)
numpy.savez(out, audio=audio, text=text)
functions["main"](exported, sound, *texts)
"""


@pytest.mark.parametrize("seconds", [0.7, 5.3], ids=["short", "three windows"])
def test_the_example_gives_openclaps_vectors_without_torch(bundle, exported, tmp_path, seconds):
    sound, out = tmp_path / "sound.flac", tmp_path / "vectors.npz"
    noise = 0.1 * np.random.default_rng(0).standard_normal((round(seconds * 44_100), 2))
    soundfile.write(sound, noise * np.linspace(0.1, 1, len(noise))[:, None], 44_100)
    command = [sys.executable, "-c", BLOCKED, str(EXAMPLE), str(exported), str(out), str(sound), *TEXTS]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    embedder, found = Embedder.from_bundle(bundle), np.load(out)
    np.testing.assert_allclose(found["audio"], embedder.embed_audio(sound)[0], atol=1e-6)
    np.testing.assert_allclose(found["text"], embedder.embed_text(TEXTS), atol=1e-6)
    assert printed[0].startswith("a dog barks: ")
    assert len(printed) == len(TEXTS)


def test_the_commands_default_is_the_rooms():
    assert export._OPSET == OPSET
