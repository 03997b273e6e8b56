"""transformers' directories here, and ours there: the same vectors."""

from __future__ import annotations

import pytest
from comparison import check, there_and_back

pytestmark = pytest.mark.parity

PEER = "peers_huggingface.py"
CASES = {
    "unfused": {"fusion": False},
    "fused": {"fusion": True},
    "larger, pytorch_model.bin": {"size": "base", "binary": True},
}


@pytest.mark.parametrize("what", CASES)
def test_a_directory_gives_its_vectors_and_goes_back(what, peer, sounds, stereo_file, texts, rows, folder):
    files = [sounds.paths["short"], sounds.paths["middling"], stereo_file]
    found = there_and_back(peer, what, CASES[what], "huggingface", sounds, texts, folder, files)
    rows.extend(found)
    check(*found)
