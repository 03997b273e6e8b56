from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openclap.errors import ConfigError
from openclap.models.layers.cosine_window import CosineWindowAttention, CosineWindowBlock
from openclap.models.layers.vit_block import VitBlock
from openclap.models.mae_decoder import MaeDecoder, MaeDecoderConfig

ROUNDING = {"atol": 2e-5, "rtol": 1e-5}  # float32 sums in another order
ROWS, DIM, HEADS = 8, 16, 2


def build(**options: Any) -> MaeDecoder:
    torch.manual_seed(0)
    small = {"encoder_dim": 12, "dim": DIM, "heads": HEADS, "depth": 2, "patch_pixels": 9}
    decoder = MaeDecoder(MaeDecoderConfig.read(small | options))
    for name, parameter in decoder.named_parameters():
        torch.nn.init.normal_(parameter, mean=0.5 if "temperature" in name else 0.0, std=0.2)
    return decoder.eval()


def kept(columns: int, keep: int, leading: int = 0, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens of a random choice of patches, the ids to restore them by, and which patches they are."""
    generator = torch.Generator().manual_seed(1)
    shuffle = torch.rand(batch, columns * ROWS, generator=generator).argsort(dim=1)
    tokens = torch.randn(batch, leading + keep, 12, generator=generator)
    return tokens, shuffle.argsort(dim=1), shuffle[:, :keep]


def in_windows(block: CosineWindowBlock, grid: Tensor) -> Tensor:
    """One block on one clip's (columns, rows, dim), token by token and head by head, from the formulas."""
    columns, rows, dim = grid.shape
    shift = block.shift if columns > 4 else 0
    attention, width = block.attention, dim // HEADS
    out = torch.zeros_like(grid)

    def window(t: int, f: int) -> tuple[int, int, bool]:  # the shifted grid's windows, and the two ends of its seam
        moved = (t - shift) % columns
        return moved // 4, f // 4, moved >= columns - shift

    for t in range(columns):
        for f in range(rows):
            others = [(a, b) for a in range(columns) for b in range(rows) if window(a, b)[:2] == window(t, f)[:2]]
            query, _, _ = attention.qkv(grid[t, f]).view(3, HEADS, width)
            mixed = []
            for head in range(HEADS):
                logits, values = [], []
                for a, b in others:
                    _, key, value = attention.qkv(grid[a, b]).view(3, HEADS, width)[:, head]
                    # Offsets inside the rolled window, not on the grid.
                    dt, df = (t - shift) % columns - (a - shift) % columns, f - b
                    logs = [math.copysign(math.log(1 + abs(d)), d) for d in (dt, df)]
                    bias = attention.bias_mlp(torch.tensor(logs))[head]
                    cosine = F.cosine_similarity(query[head], key, dim=0)
                    blocked = 0.0 if window(t, f) == window(a, b) else -100.0
                    logits.append(cosine / attention.temperature[head].clamp(min=0.01) + bias + blocked)
                    values.append(value)
                mixed.append(torch.stack(logits).softmax(dim=0) @ torch.stack(values))
            out[t, f] = attention.proj(torch.cat(mixed))
    grid = grid + block.norm1(out)
    return grid + block.norm2(block.mlp[2](F.gelu(block.mlp[0](grid))))


@torch.no_grad()
@pytest.mark.parametrize("columns", [4, 12])
@pytest.mark.parametrize("shift", [0, 2])
def test_a_window_block_computes_what_the_formulas_say(columns: int, shift: int) -> None:
    decoder = build()
    block = decoder.blocks[1 if shift else 0]
    assert isinstance(block, CosineWindowBlock)
    assert block.shift == shift
    grid = torch.randn(columns, ROWS, DIM, generator=torch.Generator().manual_seed(2))
    expected = in_windows(block, grid)
    torch.testing.assert_close(block(grid.view(1, -1, DIM))[0].view_as(grid), expected, **ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("blocks", ["windows", "global"])
@pytest.mark.parametrize("cls_token", [False, True])
def test_it_computes_what_the_formulas_say(blocks: str, cls_token: bool) -> None:
    decoder = build(blocks=blocks, cls_token=cls_token)
    tokens, restore_ids, which = kept(columns=8, keep=10, leading=int(cls_token))
    expected = []
    for clip, places in zip(tokens, which, strict=True):
        embedded = decoder.embed(clip)
        first, rest = embedded[: int(cls_token)], embedded[int(cls_token) :]
        grid = decoder.mask_token[0].repeat(64, 1)
        grid[places] = rest
        grid = grid + decoder.positions(64)
        if blocks == "global":
            grid = torch.cat([first, grid])
        for block in decoder.blocks:
            if isinstance(block, CosineWindowBlock):
                grid = in_windows(block, grid.view(8, ROWS, DIM)).view(64, DIM)
            else:
                assert isinstance(block, VitBlock)
                grid = block(grid[None])[0]
        expected.append(decoder.predict(decoder.norm(grid[-64:])))
    torch.testing.assert_close(decoder(tokens, restore_ids), torch.stack(expected), **ROUNDING)


@torch.no_grad()
def test_every_second_block_of_windows_is_shifted_through_time() -> None:
    shifts = [block.shift for block in build(depth=5).blocks if isinstance(block, CosineWindowBlock)]
    assert shifts == [0, 2, 0, 2, 0]


@torch.no_grad()
def test_windows_keep_far_sound_apart_and_shifts_join_neighbours() -> None:
    decoder = build(depth=2)
    tokens, restore_ids, _ = kept(columns=16, keep=128, batch=1)
    changed = tokens.clone()
    changed[0, restore_ids[0, 0]] += 1  # the patch of the first time, in the lowest band
    moved = (decoder(changed, restore_ids) - decoder(tokens, restore_ids)).abs().sum(dim=2).view(16, ROWS)
    assert (moved[:6, :4] > 0).all()  # its window, and the one that the shift makes of its end
    assert moved[6:].sum() == 0
    assert moved[:, 4:].sum() == 0  # frequency is never shifted


@torch.no_grad()
def test_what_was_kept_may_come_in_any_order() -> None:
    decoder = build(blocks="global", cls_token=True)
    tokens, restore_ids, which = kept(columns=4, keep=6, leading=1, batch=1)
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    other = restore_ids.clone()
    other[0, which[0, order]] = torch.arange(6)
    shuffled = torch.cat([tokens[:, :1], tokens[:, 1:][:, order]], dim=1)
    torch.testing.assert_close(decoder(shuffled, other), decoder(tokens, restore_ids), **ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("cls_token", [False, True])
def test_some_patches_are_decoded_as_if_the_others_were_not_there(cls_token: bool) -> None:
    decoder = build(blocks="global", cls_token=cls_token)
    tokens, restore_ids, which = kept(columns=8, keep=10, leading=int(cls_token), batch=1)
    places = torch.cat([which[0], torch.tensor(sorted(set(range(64)) - set(which[0].tolist())))[::3]]).sort().values
    first, rest = decoder.embed(tokens)[:, : int(cls_token)], decoder.embed(tokens)[:, int(cls_token) :]
    grid = decoder.mask_token.repeat(1, 64, 1)
    grid[0, which[0]] = rest[0]
    grid = torch.cat([first, (grid + decoder.positions(64))[:, places]], dim=1)
    for block in decoder.blocks:
        grid = block(grid)
    expected = decoder.predict(decoder.norm(grid[:, int(cls_token) :]))
    torch.testing.assert_close(decoder(tokens, restore_ids, places[None]), expected, **ROUNDING)
    everything = torch.arange(64)[None]
    torch.testing.assert_close(decoder(tokens, restore_ids, everything), decoder(tokens, restore_ids), **ROUNDING)


def test_windows_cannot_decode_some_patches_alone() -> None:
    decoder = build(blocks="windows")
    tokens, restore_ids, which = kept(columns=4, keep=6, batch=1)
    with pytest.raises(ConfigError, match="blocks to 'global'"):
        decoder(tokens, restore_ids, which)


@pytest.mark.parametrize("blocks", ["windows", "global"])
def test_a_gradient_reaches_every_weight(blocks: str) -> None:
    decoder = build(blocks=blocks).train()
    tokens, restore_ids, _ = kept(columns=8, keep=10)
    decoder(tokens, restore_ids).pow(2).sum().backward()
    silent = [name for name, p in decoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@torch.no_grad()
def test_a_temperature_never_falls_below_a_hundredth() -> None:
    attention = CosineWindowAttention(DIM, HEADS, 4).eval()
    windows = torch.randn(1, 1, 16, DIM)
    attention.temperature.fill_(0.01)
    least = attention(windows, None)
    attention.temperature.fill_(-1.0)
    assert torch.equal(attention(windows, None), least)


def test_a_grid_that_cannot_be_cut_is_refused() -> None:
    tokens, restore_ids, _ = kept(columns=6, keep=10)
    with pytest.raises(ConfigError, match="48 patches, but this decoder takes multiples of 32"):
        build()(tokens, restore_ids)
    assert build(blocks="global")(tokens, restore_ids).shape == (2, 48, 9)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"heads": 3}, "3 heads do not divide"), ({"dim": 18}, "multiple of 4"), ({"rows": 6}, "side of a window")],
)
def test_a_geometry_that_does_not_fit_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        build(**options)
