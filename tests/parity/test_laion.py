"""laion-clap's files here, and ours there: the same vectors."""

from __future__ import annotations

from typing import Any

import pytest
from comparison import TOO_LONG, check, there_and_back

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


def _words(case: dict[str, Any]) -> str:
    return " ".join(value for value in case.values() if isinstance(value, str))


@pytest.mark.parametrize("case", PLAIN + FUSED, ids=_words)
def test_a_file_gives_its_vectors_and_goes_back(case, peer, sounds, stereo_file, texts, rows, folder):
    if case["text"] == "transformer":  # cut, a text loses its end token there, and is pooled at its rarest word
        texts = texts[:TOO_LONG] + texts[TOO_LONG + 1 :]
    whole = "text_layers" not in case  # the kinds of fusion are written by the same rules as the published one
    files = [sounds.paths["short"], sounds.paths["middling"], stereo_file] if whole else []
    found = there_and_back(peer, _words(case), case, "laion", sounds, texts, folder, files, back=whole)
    rows.extend(found)
    check(*found)
