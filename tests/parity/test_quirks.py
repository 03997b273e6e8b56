"""docs/compat.md: what it names can be set, and what it says of tests is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openclap.audio.frontend import FRONTEND_PRESETS
from openclap.checkpoints.native import BundleConfig
from openclap.models.clap import ClapConfig, EncoderConfig

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in (ROOT / "docs" / "compat.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| peer ")
]
SETTINGS = sorted(
    {found for row in ROWS for found in re.findall(r"`((?:frontend|tokenizer|model)\.[\w.]+=[^`]+)`", row[3])}
)


def test_every_quirk_has_its_five_cells():
    assert len(ROWS) > 40
    assert [row for row in ROWS if len(row) != 5] == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_set_by_name_is_a_field_of_a_bundle(setting):
    config = BundleConfig(
        name="any",
        model=ClapConfig(
            audio=EncoderConfig(name="htsat-tiny"),
            text=EncoderConfig(name="hf", options={"hf": {"model_type": "roberta"}, "pooling": "pooler"}),
        ),
        frontend=FRONTEND_PRESETS["laion-fusion"],
    )
    if setting.startswith(("frontend.mel.framing", "frontend.length.short=zero-pad-features")):  # of AudioMAE's only
        config = config.model_copy(update={"frontend": FRONTEND_PRESETS["audiomae"]})
    assert config.override([setting]).plain()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_the_tests_of_a_quirk_are_there(row):
    named = re.findall(r"`([^`]+)`", row[4])
    assert named or row[4] == "parity"
    assert [name for name in named if not (ROOT / "tests" / "unit" / f"{name}.py").is_file()] == []
