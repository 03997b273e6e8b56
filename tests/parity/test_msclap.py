"""msclap's files here, and ours there: the same vectors."""

from __future__ import annotations

import pytest
from comparison import check, there_and_back

pytestmark = pytest.mark.parity

PEER = "peers_msclap.py"


@pytest.mark.parametrize("version", ["2022", "2023"])
def test_a_file_gives_its_vectors_and_goes_back(version, peer, sounds, texts, rows, tmp_path):
    found = there_and_back(peer, version, {"version": version}, "msclap", sounds, texts, tmp_path)
    rows.extend(found)
    check(*found)
