"""What does a batch of clips of different lengths cost a ViT: together, filled up to the longest, and one by one?

    python benchmarks/packing.py [--encoder vit-small] [--clips 16] [--rounds 5] [--threads 2] [--device cpu]
                                 [--keep 0.25] [--cpu-time] [--json FILE]

Lengths are drawn uniformly from 1 to 10 s, weights are random. Each way takes its turn in each round; the table has the
medians over the rounds. "filled up" is every clip with as many frames as the longest: what a fixed window would cost,
though the vectors are others. "--keep" masks tokens as FLAP does before the encoder; 1 keeps all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from openclap.models.audio.vit import Vit
from openclap.models.layers.patches import GroupedFeatures
from openclap.models.zoo import audio_encoders

FRAMES_A_SECOND = 100
Way = Callable[[Vit, Tensor, Tensor, float], Tensor]


def together(vit: Vit, features: Tensor, frames: Tensor | None, keep: float) -> Tensor:
    """What training and use do: tokens of all clips at once, attention within each."""
    cut = GroupedFeatures.of(features, frames, vit.patch_size)
    groups = [vit.embed(group) for group in cut.features]
    kept = [group[:, : max(1, int(group.shape[1] * keep))] for group in groups]
    return cut.groups.join([vit.pool(tokens) for tokens in vit.encode_groups(kept)])


def filled_up(vit: Vit, features: Tensor, frames: Tensor, keep: float) -> Tensor:  # noqa: ARG001
    return together(vit, features, None, keep)


def one_by_one(vit: Vit, features: Tensor, frames: Tensor, keep: float) -> Tensor:
    rows = zip(features, frames.tolist(), strict=True)
    return torch.cat([together(vit, clip[None, :, :length], None, keep) for clip, length in rows])


WAYS: dict[str, Way] = {"together": together, "filled up": filled_up, "one by one": one_by_one}


def seconds(
    way: Way, vit: Vit, features: Tensor, frames: Tensor, keep: float, *, train: bool, clock: Callable[[], float]
) -> float:
    _wait(features)
    begin = clock()
    if train:
        way(vit, features, frames, keep).square().sum().backward()
        vit.zero_grad(set_to_none=True)
    else:
        with torch.inference_mode():
            way(vit, features, frames, keep)
    _wait(features)
    return clock() - begin


def _wait(features: Tensor) -> None:
    if features.is_cuda:
        torch.cuda.synchronize()


def macs(vit: Vit, frames: Tensor, keep: float) -> float:
    """Multiplications of the blocks by the arithmetic of tokens: 12·D²·N + 2·N²·D a layer."""
    tokens = (-(-frames // vit.patch_size) * vit.rows * keep).double()
    return float((12 * vit.dim**2 * tokens + 2 * tokens**2 * vit.dim).sum()) * len(vit.blocks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--encoder", default="vit-small")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--keep", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-time", action="store_true", help="count CPU time: for one thread on a busy machine")
    parser.add_argument("--json", type=Path, help="where to write the numbers as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    generator = torch.Generator().manual_seed(0)
    frames = (FRAMES_A_SECOND * (1 + 9 * torch.rand(options.clips, generator=generator))).long()
    features = torch.randn(options.clips, 1, int(frames.max()), 128, generator=generator).to(options.device)
    torch.manual_seed(0)
    vit = audio_encoders.get(options.encoder)().to(options.device)
    assert isinstance(vit, Vit)
    expected = macs(vit, frames, options.keep) / macs(vit, frames.max().expand_as(frames), options.keep)
    mean_s, longest_s = float(frames.float().mean()) / FRAMES_A_SECOND, int(frames.max()) / FRAMES_A_SECOND
    print(
        f"{options.clips} clips, mean {mean_s:.2f} s, longest {longest_s:.2f} s; tokens say {expected:.2f} of filled up"
    )
    with torch.inference_mode():
        apart = one_by_one(vit, features, frames, options.keep)
        difference = float((together(vit, features, frames, options.keep) - apart).abs().max())
    found: dict[str, dict[str, float]] = {}
    for train in (False, True):
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        for number in range(options.rounds + 1):  # the first is thrown away
            for name, way in WAYS.items():
                taken = seconds(way, vit, features, frames, options.keep, train=train, clock=clock)
                if number:
                    times[name].append(taken)
        what = "forward and backward" if train else "forward"
        found[what] = {name: statistics.median(taken) for name, taken in times.items()}
        for name, taken in found[what].items():
            share = taken / found[what]["filled up"]
            print(f"{what:20}  {name:10}  {1000 * taken:8.0f} ms  {share:5.2f} of filled up")
    print(f"largest difference between together and one by one: {difference:.1e}")
    if options.json:
        about = {name: str(value) for name, value in vars(options).items()} | {"torch": torch.__version__}
        result = {"about": about, "expected_share": expected, "seconds": found, "difference": difference}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
