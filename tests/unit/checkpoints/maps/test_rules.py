"""The rules about names, on tensors made by hand."""

from __future__ import annotations

import pytest
import torch

from openclap.checkpoints.differences import differences
from openclap.checkpoints.maps.rules import Fixed, Pair, batch_norm, count, linear, same, to_ours, to_theirs
from openclap.errors import CheckpointError


def test_a_renaming_goes_both_ways() -> None:
    pairs = linear("fc", "head")
    tensors = {"fc.weight": torch.randn(2, 3), "fc.bias": torch.randn(2)}
    ours, unused = to_ours(tensors, pairs, [], [], "x")
    assert ours["head.weight"].equal(tensors["fc.weight"])
    assert not unused
    assert to_theirs(ours, pairs, []).keys() == tensors.keys()


def test_one_tensor_there_may_be_three_here_and_the_reverse() -> None:
    whole = torch.arange(12.0).view(6, 2)
    cut = Pair(("qkv",), ("q", "k", "v"))
    parts = cut.here({"qkv": whole})
    assert parts["k"].tolist() == [[4, 5], [6, 7]]
    assert cut.there(parts)["qkv"].equal(whole)
    joined = Pair(("q", "k", "v"), ("qkv",))
    assert joined.here(parts)["qkv"].equal(whole)
    assert joined.there({"qkv": whole})["v"].tolist() == [[8, 9], [10, 11]]


def test_parts_share_no_memory() -> None:
    parts = Pair(("qkv",), ("q", "k", "v")).here({"qkv": torch.zeros(6, 2)})
    assert len({part.untyped_storage().data_ptr() for part in parts.values()}) == 3


def test_a_kernel_is_laid_flat_and_stood_up_again() -> None:
    pair = Pair(("conv",), ("linear",), kernel=(1, 2, 2))
    kernel = torch.arange(12.0).view(3, 1, 2, 2)
    assert pair.here({"conv": kernel})["linear"].tolist()[1] == [4, 5, 6, 7]
    assert pair.there({"linear": kernel.flatten(1)})["conv"].equal(kernel)
    any_width = Pair(("conv",), ("linear",), kernel=(-1, 1, 1))
    assert any_width.there({"linear": torch.zeros(3, 5)})["conv"].shape == (3, 5, 1, 1)


@pytest.mark.parametrize("shape", [(3, 2, 2), (3, 1, 2, 3), (3, 1, 4)])
def test_a_kernel_of_another_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(CheckpointError, match=r"conv .* cannot become linear \(kernels of"):
        to_ours({"conv": torch.zeros(shape)}, [Pair(("conv",), ("linear",), kernel=(1, 2, 2))], [], [], "x")


def test_parts_that_cannot_be_equal_are_named() -> None:
    with pytest.raises(CheckpointError, match=r"7 rows are not 3 equal parts"):
        to_ours({"qkv": torch.zeros(7, 2)}, [Pair(("qkv",), ("q", "k", "v"))], [], [], "x")


def test_what_is_missing_and_what_is_left_over_are_named_together() -> None:
    tensors = {name: torch.zeros(1) for name in ("a", "heads.x", "strange")}
    pairs = [*same("a", "b"), *same("c", "d")]
    with pytest.raises(CheckpointError, match=r"^x: .*missing c; left over, and of no known use, strange$"):
        to_ours(tensors, pairs, [], ["heads.x"], "x")


def test_what_is_unused_is_kept_under_its_own_name() -> None:
    tensors = {"a": torch.zeros(1), "heads.x": torch.ones(1)}
    assert to_ours(tensors, same("a", "b"), [], ["heads.x", "heads.y"], "x")[1].keys() == {"heads.x"}


def test_a_fixed_tensor_may_be_absent_and_must_not_be_wrong() -> None:
    rule = Fixed("table", lambda: torch.arange(3.0), tolerance=1e-3)
    pairs = same("a", "b")
    for tensors in ({}, {"table": torch.arange(3.0) + 5e-4}, {"table": torch.arange(3)}):
        to_ours({"a": torch.zeros(1), **tensors}, pairs, [rule], [], "x")
    for wrong in (torch.arange(3.0) + 0.01, torch.arange(4.0)):
        with pytest.raises(CheckpointError, match="table is a table that follows from the architecture"):
            to_ours({"a": torch.zeros(1), "table": wrong}, pairs, [rule], [], "x")
    assert to_theirs({"b": torch.zeros(1)}, pairs, [rule])["table"].tolist() == [0, 1, 2]


def test_a_tensor_of_ours_without_a_place_there_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"it lacks nothing, and c has no counterpart there"):
        to_theirs({"b": torch.zeros(1), "c": torch.zeros(1)}, same("a", "b"), [])


def test_items_are_counted_by_their_numbers() -> None:
    names = ["layers.0.a", "layers.0.b", "layers.10.a", "layers.norm", "other.3.a"]
    assert count(names, "layers.") == 2
    assert count(["block1.x", "block2.x"], "block") == 2


def test_a_batch_norm_has_its_statistics_too() -> None:
    parts = {pair.theirs[0].removeprefix("bn.") for pair in batch_norm("bn", "norm")}
    assert parts == torch.nn.BatchNorm1d(1).state_dict().keys()


def test_differences_are_said_by_dotted_names() -> None:
    ours = {"a": 1, "b": {"c": 2, "d": 3, "e": {"f": 4}}, "only_ours": 5}
    theirs = {"a": 1, "b": {"c": 9, "d": 9, "e": {"f": 9}}}
    assert differences(ours, theirs, ["b.d"]) == ["b.c is 2, and there 9", "b.e.f is 4, and there 9"]
    assert differences(ours, theirs, ["b"]) == []
