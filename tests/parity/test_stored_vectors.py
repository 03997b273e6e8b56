"""The stored vectors are what the peers' own code gives: made again in their environment, and compared."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[1] / "unit" / "audio" / "data"

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def made_again(tmp_path_factory) -> Path:
    """The vectors as the peers give them today, or a skip where there are no peers."""
    python, code = os.environ.get("OPENCLAP_PEERS_PYTHON", ""), os.environ.get("OPENCLAP_PEERS_CODE", "")
    if not Path(python).is_file() or not Path(code, "compat.py").is_file():
        pytest.skip("no peers: make parity PEERS=their Python PEERS_CODE=the folder of compat.py")
    folder = tmp_path_factory.mktemp("vectors")
    shutil.copy(DATA / "make_vectors.py", folder)
    environment = os.environ | {"PEERS": str(Path(code).resolve())}
    done = subprocess.run(
        [str(Path(python).absolute()), "make_vectors.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder / "log_mel.npz"


def test_the_peers_still_give_the_stored_features(made_again):
    stored, fresh = np.load(DATA / "log_mel.npz"), np.load(made_again)
    assert set(stored) == set(fresh)
    for name in stored:
        # The same code on the same input: what is left is the order of additions on another processor.
        np.testing.assert_allclose(fresh[name], stored[name], rtol=1e-5, atol=1e-4, err_msg=name)
