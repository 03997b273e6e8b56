"""Real clips: none is called broken that is not, and a range of each is the same samples as in the whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from openclap.audio.decode import audio_info, decode
from openclap.errors import SilentAudioError

KNOWN_SILENT = {"nandou.ogg", "iguana.ogg", "giraffe.ogg", "wombat.ogg"}  # all zeros in another decoder, too


def test_real_clips_decode_and_their_headers_agree(starter_manifest: Path) -> None:
    rows = [json.loads(line) for line in starter_manifest.read_text(encoding="utf-8").splitlines()]
    silent = {row["path"] for row in rows if Path(row["path"]).name in KNOWN_SILENT}
    for path in sorted({row["path"] for row in rows[::16]} | silent):
        source = starter_manifest.parent / path
        info = audio_info(source)
        try:
            waveform = decode(source)
        except SilentAudioError:
            assert path in silent
            continue
        assert abs(info.frames - len(waveform.samples)) <= 512  # Vorbis trims a part of its first block
        start_s, duration_s = 0.4 * waveform.duration_s, 0.3 * waveform.duration_s
        part = decode(source, start_s=start_s, duration_s=duration_s).samples
        first = round(start_s * waveform.sample_rate_hz)
        np.testing.assert_array_equal(part, waveform.samples[first : first + len(part)], err_msg=path)
