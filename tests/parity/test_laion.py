"""laion-clap's files here, and ours there: the same vectors."""

from __future__ import annotations

from typing import Any

import pytest
from comparison import check, there_and_back

pytestmark = pytest.mark.parity

PEER = "peers_laion.py"

# Every audio tower and every text tower; the published pairs first. The kinds of fusion need no deep text tower.
PLAIN = [
    {"audio": "HTSAT-tiny", "text": "roberta"},
    {"audio": "HTSAT-base", "text": "roberta"},
    {"audio": "HTSAT-large", "text": "transformer"},
    {"audio": "PANN-14", "text": "bert"},
    {"audio": "PANN-10", "text": "bart"},
    {"audio": "PANN-6", "text": "transformer"},
]
FUSIONS = ("channel_map", "daf_1d", "aff_1d", "iaff_1d", "daf_2d", "aff_2d", "iaff_2d")
FUSED = [
    {"audio": "HTSAT-tiny", "text": "roberta", "fusion": "aff_2d"},
    *(
        {"audio": audio, "text": "transformer", "fusion": fusion, "text_layers": 2}
        for audio in ("HTSAT-tiny", "PANN-14")
        for fusion in FUSIONS
    ),
]
# Cut, a text loses its end token in laion-clap's CLIP tower, which then pools at its rarest word: docs/compat.md.
TOO_LONG_FOR_CLIP = 4


def _words(case: dict[str, Any]) -> str:
    return " ".join(value for value in case.values() if isinstance(value, str))


@pytest.mark.parametrize("case", PLAIN + FUSED, ids=_words)
def test_a_file_gives_its_vectors_and_goes_back(case, peer, sounds, texts, rows, tmp_path):
    if case["text"] == "transformer":
        texts = [text for index, text in enumerate(texts) if index != TOO_LONG_FOR_CLIP]
    found = there_and_back(peer, _words(case), case, "laion", sounds, texts, tmp_path)
    rows.extend(found)
    check(*found)
