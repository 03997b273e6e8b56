"""Masks: exact counts, whole columns and rows, what is loud is kept, and the way back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openclap.errors import ConfigError
from openclap.models.masking import MaskingConfig, draw_mask

ROWS, COLUMNS = 8, 64


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _patches(batch=3, columns=COLUMNS, rows=ROWS):
    return torch.randn(batch, columns * rows, 4, generator=_generator(7))


KINDS = [
    MaskingConfig(),
    MaskingConfig(kind="1d", ratio=0.75),
    MaskingConfig(kind="2d", time_ratio=0.5, mel_ratio=0.5),
    MaskingConfig(kind="block", ratio=0.6),
    MaskingConfig(kind="energy", ratio=0.8),
]


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
def test_a_mask_parts_the_tokens_and_knows_the_way_back(config):
    patches = _patches()
    mask = draw_mask(config, patches, ROWS, _generator())
    count = config.kept(patches.shape[1], ROWS)
    assert mask.keep_ids.shape == (3, count)
    assert torch.equal((mask.removed == 0).sum(dim=1), torch.full((3,), count))
    assert torch.equal(mask.removed.gather(1, mask.keep_ids), torch.zeros(3, count))
    kept = mask.keep(patches)
    filled = torch.cat([kept, torch.zeros(3, patches.shape[1] - count, 4)], dim=1)
    restored = filled.gather(1, mask.restore_ids[:, :, None].expand(-1, -1, 4))
    assert torch.equal(restored, patches * (1 - mask.removed)[:, :, None])


@given(columns=st.integers(1, 70), rows=st.integers(1, 9), ratio=st.floats(0, 0.95))
def test_counts_are_rounded_down_as_mae_does(columns, rows, ratio):
    config = MaskingConfig(kind="1d", ratio=ratio)
    expected = max(1, int(columns * rows * (1 - ratio)))  # but something is left to hear of the shortest clip
    mask = draw_mask(config, torch.zeros(2, columns * rows, 1), rows, _generator())
    assert mask.keep_ids.shape == (2, expected)


def test_one_time_is_kept_of_the_shortest_clip():
    config = MaskingConfig(kind="2d", time_ratio=0.5, mel_ratio=0.5)
    assert draw_mask(config, torch.zeros(2, ROWS, 1), ROWS, _generator()).keep_ids.shape == (2, 4)


@pytest.mark.parametrize(
    ("time", "mel", "columns", "rows"),
    [(0.2, 0.2, 51, 6), (0.5, 0.5, 32, 4), (0.75, 0.25, 16, 6), (0, 0.9, 64, 0)],
)
def test_two_dimensions_keep_whole_columns_and_rows(time, mel, columns, rows):
    config = MaskingConfig(kind="2d", time_ratio=time, mel_ratio=mel)
    if rows == 0:
        with pytest.raises(ConfigError, match="0 of 8 mel rows"):
            config.kept(512, ROWS)
        return
    grid = draw_mask(config, _patches(), ROWS, _generator()).removed.view(3, COLUMNS, ROWS)
    kept_columns, kept_rows = (grid == 0).any(dim=2), (grid == 0).any(dim=1)
    assert kept_columns.sum(dim=1).tolist() == [columns] * 3
    assert kept_rows.sum(dim=1).tolist() == [rows] * 3
    assert torch.equal(grid == 0, kept_columns[:, :, None] & kept_rows[:, None, :])


def test_clips_of_a_batch_have_masks_of_their_own():
    for config in KINDS[1:]:
        removed = draw_mask(config, _patches(8), ROWS, _generator()).removed
        assert len({tuple(row.tolist()) for row in removed}) == 8


def test_the_seed_decides():
    for config in KINDS:
        first, same, other = (draw_mask(config, _patches(), ROWS, _generator(seed)).removed for seed in (1, 1, 2))
        assert torch.equal(first, same)
        assert config.kind == "none" or not torch.equal(first, other)


def test_every_token_has_the_same_chance_to_be_kept():
    removed = draw_mask(KINDS[1], torch.zeros(4000, 64, 1), ROWS, _generator()).removed
    # 4,000 draws of 0.75: a standard deviation of 0.007; five of them hold for all 64 tokens.
    torch.testing.assert_close(removed.mean(dim=0), torch.full((64,), 0.75), atol=0.035, rtol=0)


@pytest.mark.parametrize(("ratio", "cut"), [(0.5, 0), (0.6, 1)])
def test_blocks_are_removed_whole_as_far_as_the_number_allows(ratio, cut):
    config = MaskingConfig(kind="block", ratio=ratio, block=4)
    grid = draw_mask(config, _patches(1000), ROWS, _generator()).removed.view(1000, 16, 4, 2, 4)
    share = grid.mean(dim=(2, 4))
    assert torch.equal(((share > 0) & (share < 1)).sum(dim=(1, 2)), torch.full((1000,), cut))


def test_chance_chooses_the_blocks_of_each_clip_and_what_is_kept_of_one_that_is_cut():
    whole = draw_mask(MaskingConfig(kind="block", ratio=0.5), _patches(8), ROWS, _generator()).removed
    assert len(torch.unique(whole, dim=0)) == 8
    half = draw_mask(MaskingConfig(kind="block", ratio=0.5), torch.zeros(2000, 16, 1), 4, _generator()).removed
    # One block of 16 tokens. 2,000 draws of 0.5: a standard deviation of 0.011; five of them hold for all tokens.
    torch.testing.assert_close(half.mean(dim=0), torch.full((16,), 0.5), atol=0.055, rtol=0)


def test_what_is_loud_is_kept_more_often_and_the_sharper_the_more():
    patches = torch.zeros(500, 64, 1)
    patches[:, :16] = 3.0
    kept = []
    for sharpness in (0.0, 1.0, 4.0):
        config = MaskingConfig(kind="energy", ratio=0.75, sharpness=sharpness)
        kept.append(float(1 - draw_mask(config, patches, ROWS, _generator()).removed[:, :16].mean()))
    assert kept[0] == pytest.approx(0.25, abs=0.02)  # 8,000 draws: a standard deviation of 0.005
    assert kept[0] < kept[1] < kept[2]
    assert kept[2] > 0.95


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_masks_as_sharp_as_can_be_keep_the_loudest(ratio):
    loudness = torch.stack([torch.randperm(512, generator=_generator(seed)) for seed in range(4)]).float()
    config = MaskingConfig(kind="energy", ratio=ratio, sharpness=1e6)
    mask = draw_mask(config, loudness[:, :, None], ROWS, _generator())
    assert (loudness.gather(1, mask.keep_ids) >= 512 - mask.keep_ids.shape[1]).all()


def test_how_loud_a_clip_is_as_a_whole_changes_no_mask():
    patches, config = _patches(), KINDS[4]
    mask = draw_mask(config, patches, ROWS, _generator())
    # By powers of two, so that nothing is rounded.
    assert torch.equal(draw_mask(config, patches * 8, ROWS, _generator()).removed, mask.removed)


def test_clips_of_a_batch_have_columns_and_rows_of_their_own():
    kept = draw_mask(KINDS[2], _patches(8), ROWS, _generator()).removed.view(8, COLUMNS, ROWS) == 0
    for axis in (1, 2):
        assert len({tuple(clip.tolist()) for clip in kept.any(dim=axis)}) > 4  # of 8 clips; chance may repeat a choice


def test_without_ratio_every_kind_keeps_all_in_their_order():
    for kind in ("none", "1d", "2d", "block", "energy"):
        mask = draw_mask(MaskingConfig(kind=kind), _patches(), ROWS, _generator())
        assert torch.equal(mask.keep_ids, torch.arange(512).expand(3, -1))
        assert mask.removed.sum() == 0


@pytest.mark.parametrize("given", [{"ratio": 0.5}, {"kind": "2d", "ratio": 0.5}, {"kind": "1d", "time_ratio": 0.5}])
def test_settings_that_nothing_reads_are_refused(given):
    with pytest.raises(ConfigError, match="ratio"):
        MaskingConfig.read(given)


@pytest.mark.parametrize(("share", "expected"), [(0.001, 128 + 1), (0.25, 128 + 96), (1.0, 512)])
def test_a_share_of_what_is_removed_goes_with_what_is_kept(share, expected):
    mask = draw_mask(MaskingConfig(kind="1d", ratio=0.75), _patches(), ROWS, _generator())
    places = mask.kept_and_some(share, _generator(1))
    assert places.shape == (3, expected)
    assert (places.diff(dim=1) > 0).all()  # ascending, and none twice
    for chosen, keep_ids in zip(places, mask.keep_ids, strict=True):
        assert set(keep_ids.tolist()) <= set(chosen.tolist())


def test_every_removed_token_is_as_likely_to_go_with_the_kept_ones():
    mask = draw_mask(MaskingConfig(kind="1d", ratio=0.5), torch.zeros(1, 16, 1), 4, _generator())
    generator, times = _generator(2), torch.zeros(16)
    for _ in range(2000):
        times[mask.kept_and_some(0.25, generator)[0]] += 1
    assert torch.equal(times[mask.keep_ids[0]], torch.full((8,), 2000.0))
    chosen = times[mask.removed[0] > 0]
    assert chosen.sum() == 2000 * 2
    assert (chosen - 500).abs().max() < 5 * 19.4  # five standard deviations of 2000 draws of one in four


def test_where_nothing_is_removed_no_share_of_it_is():
    mask = draw_mask(MaskingConfig(), _patches(), ROWS, _generator())
    assert torch.equal(mask.kept_and_some(0.5), torch.arange(512).expand(3, -1))
