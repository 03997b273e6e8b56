"""HTSAT computes what transformers' port of LAION-CLAP's computes, trains every weight, and refuses what cannot fit."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn
from transformers import ClapAudioConfig, ClapAudioModel

from openclap.errors import ConfigError
from openclap.models.audio.htsat import Htsat, HtsatConfig
from openclap.models.layers.spec_augment import SpecAugmentConfig
from openclap.models.zoo import audio_encoders

# Float32 over at most 12 blocks, with sums in another order; outputs are of the order of 1 after the last norm.
TOLERANCE = 2e-5

GEOMETRIES = {
    "smallest": {"square_size": 32, "n_mels": 16, "embed_dim": 8, "depths": (1, 1), "heads": (1, 2), "window_size": 4},
    "shifted": {"square_size": 64, "n_mels": 32, "embed_dim": 8, "depths": (2, 3), "heads": (2, 4), "window_size": 4},
    "four segments": {"square_size": 64, "n_mels": 16, "embed_dim": 8, "depths": (2, 2), "heads": (2, 4)},
    "one window at the end": {
        "square_size": 128,
        "n_mels": 64,
        "embed_dim": 12,
        "depths": (2, 2, 2),
        "heads": (2, 4, 8),
    },
    "one segment": {
        "square_size": 64,
        "n_mels": 64,
        "embed_dim": 8,
        "depths": (1, 2),
        "heads": (1, 1),
        "mlp_ratio": 2.0,
    },
    "tiny's grid": {"square_size": 256, "n_mels": 64, "embed_dim": 8, "depths": (2, 2, 2, 2), "heads": (1, 2, 4, 8)},
}

RENAMES = (
    (r"^audio_encoder\.", ""),
    (r"^batch_norm\.", "mel_norm."),
    (r"^patch_embed\.proj\.", "patch_embed."),
    (r"^patch_embed\.norm\.", "patch_norm."),
    (r"^layers\.", "stages."),
    (r"\.downsample\.", ".merge."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.self\.relative_position_bias_table$", ".attention.relative_bias"),
    (r"\.attention\.output\.dense\.", ".attention.proj."),
    (r"\.intermediate\.dense\.", ".mlp.0."),
    (r"\.output\.dense\.", ".mlp.2."),
    (r"^patch_embed\.mel_conv2d\.", "fusion.embed."),
    (r"^patch_embed\.fusion_model\.", "fusion.blend."),
    (r"\.(local)_att\.0|\.(global)_att\.1", r".\1\2_attention.squeeze"),
    (r"\.(local)_att\.1|\.(global)_att\.2", r".\1\2_attention.squeeze_norm"),
    (r"\.(local)_att\.3|\.(global)_att\.4", r".\1\2_attention.expand"),
    (r"\.(local)_att\.4|\.(global)_att\.5", r".\1\2_attention.expand_norm"),
)


def small(**options: object) -> Htsat:
    return Htsat(HtsatConfig.read({"drop_path": 0, "spec_augment": None, **GEOMETRIES["shifted"], **options}))


@torch.no_grad()
def lively(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights under which every tensor matters: default ones leave biases, tables and norm statistics at nothing."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if not value.is_floating_point() or "mask" in name:
            continue
        noise = torch.randn(value.shape, generator=generator)
        if "running_var" in name:
            value.copy_(noise.abs() + 0.5)
        elif "bias_table" in name or "relative_bias" in name:
            value.copy_(noise)
        elif value.ndim < 2:
            value.add_(0.3 * noise)
        else:
            value.copy_(noise * (1.7 / value[0].numel()) ** 0.5)
    return model.eval()


def peer(config: HtsatConfig) -> ClapAudioModel:
    return ClapAudioModel(
        ClapAudioConfig(
            spec_size=config.square_size,
            num_mel_bins=config.n_mels,
            patch_size=config.patch_size,
            patch_stride=[config.patch_size, config.patch_size],
            window_size=config.window_size,
            patch_embeds_hidden_size=config.embed_dim,
            hidden_size=config.dims[-1],
            depths=list(config.depths),
            num_attention_heads=list(config.heads),
            num_hidden_layers=len(config.depths),
            mlp_ratio=config.mlp_ratio,
            enable_fusion=config.fusion != "none",
            fusion_type=None if config.fusion == "none" else "aff_2d",  # the only one that it has
        )
    )


def ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The peer's weights under our names; its query, key and value stand in one tensor in ours."""
    renamed = {}
    for key, value in state.items():
        name = key
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        convolution = name == "patch_embed.weight" or (name.startswith("fusion.") and value.ndim == 4)
        renamed[name] = value.flatten(1) if convolution else value
    fused = {}
    for key, value in renamed.items():
        if ".self.query." in key:
            parts = [renamed[key.replace("query", name)] for name in ("query", "key", "value")]
            fused[key.replace(".self.query.", ".qkv.")] = torch.cat(parts)
        elif ".self." not in key:
            fused[key] = value
    return fused


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("missing_frames", [0, 23])
@torch.no_grad()
def test_it_computes_what_transformers_computes(geometry: str, missing_frames: int) -> None:
    config = HtsatConfig.read(GEOMETRIES[geometry])
    theirs = lively(peer(config))
    mine = Htsat(config).eval()
    mine.load_state_dict(ours(theirs.state_dict()))
    features = torch.randn(2, 1, config.max_frames - missing_frames, config.n_mels) * 10 - 20
    expected = theirs(input_features=features)
    tokens, pooled = mine(features)
    torch.testing.assert_close(pooled, expected.pooler_output, atol=TOLERANCE, rtol=0)
    time_major = expected.last_hidden_state.permute(0, 3, 2, 1).flatten(1, 2)  # theirs: (batch, dim, mel, time)
    torch.testing.assert_close(tokens, time_major, atol=5 * TOLERANCE, rtol=0)  # not averaged over the tokens


@pytest.mark.parametrize("geometry", ["smallest", "one window at the end", "tiny's grid"])
@pytest.mark.parametrize("longer", [[True, False, True], [False, False, False]])
@torch.no_grad()
def test_fusion_computes_what_transformers_computes(geometry: str, longer: list[bool]) -> None:
    config = HtsatConfig.read({**GEOMETRIES[geometry], "fusion": "aff-2d"})
    theirs = lively(peer(config))
    mine = Htsat(config).eval()
    mine.load_state_dict(ours(theirs.state_dict()))
    features = torch.randn(3, 4, config.max_frames - 5, config.n_mels) * 10 - 20
    is_longer = torch.tensor(longer)
    expected = theirs(input_features=features, is_longer=is_longer[:, None])
    pooled = mine(features, is_longer).pooled
    torch.testing.assert_close(pooled, expected.pooler_output, atol=TOLERANCE, rtol=0)


def test_gradients_are_those_of_transformers() -> None:
    config = HtsatConfig.read({**GEOMETRIES["shifted"], "drop_path": 0, "spec_augment": None})
    theirs, mine = lively(peer(config)), Htsat(config)
    mine.load_state_dict(ours(theirs.state_dict()))
    theirs.train()
    for module in theirs.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    features = torch.randn(3, 1, config.max_frames - 5, config.n_mels)
    weights = torch.randn(3, config.dims[-1])
    (mine.train()(features).pooled * weights).sum().backward()
    (theirs(input_features=features).pooler_output * weights).sum().backward()
    expected = ours({name: p.grad for name, p in theirs.named_parameters()})
    for name, parameter in mine.named_parameters():
        scale = expected[name].abs().max()
        assert (parameter.grad - expected[name]).abs().max() <= 1e-4 * scale + 1e-6, name


@torch.no_grad()
def test_loaded_weights_are_used_at_once_in_eval_mode() -> None:
    a, b = lively(small(), 1), lively(small(), 2)
    features = torch.randn(2, 1, 128, 32)
    before = a(features).pooled
    a.load_state_dict(b.state_dict())
    assert torch.equal(a(features).pooled, b(features).pooled)
    assert not torch.allclose(before, a(features).pooled, atol=1e-3)


@torch.no_grad()
def test_a_changed_bias_table_is_used_at_once_in_eval_mode() -> None:
    model = lively(small())
    features = torch.randn(2, 1, 128, 32)
    before = model(features).pooled
    model.stages[0].blocks[1].attention.relative_bias.data.neg_()
    assert not torch.allclose(before, model(features).pooled, atol=1e-3)


@torch.no_grad()
def test_a_moved_model_moves_all_that_it_needs() -> None:
    model = lively(small()).double()
    tokens, pooled = model(torch.randn(1, 1, 128, 32, dtype=torch.float64))
    assert tokens.dtype == pooled.dtype == torch.float64
    assert all(buffer.device.type == "meta" for buffer in small().to("meta").buffers())


@torch.no_grad()
def test_tokens_stand_time_by_time() -> None:
    config = HtsatConfig.read({**GEOMETRIES["smallest"], "window_size": 1, "depths": (2, 1), "mlp_ratio": 1.0})
    model = lively(Htsat(config))  # windows of one token: what a token says depends on its own patch alone
    features = torch.randn(1, 1, config.max_frames, config.n_mels)
    changed = features.clone()
    span, bins = config.patch_size * 2, config.n_mels // (config.patch_size * 2)
    changed[:, :, 3 * span : 4 * span, span : 2 * span] += 5  # the fourth time, the second group of mel bins
    moved = (model(features).tokens - model(changed).tokens).abs().amax(-1)[0] > 1e-4
    assert moved.nonzero().flatten().tolist() == [3 * bins + 1]


@torch.no_grad()
def test_the_pooled_vector_is_the_mean_of_the_tokens() -> None:
    tokens, pooled = lively(small())(torch.randn(2, 1, 100, 32))
    torch.testing.assert_close(pooled, tokens.mean(1))


@torch.no_grad()
def test_bf16_autocast_stays_near_float32() -> None:
    model = lively(small())
    features = torch.randn(2, 1, 128, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(features).pooled.float()
    cosine = torch.cosine_similarity(half, model(features).pooled)
    assert cosine.min() > 0.995  # 8 bits of mantissa over five blocks of random weights


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((1, 1, 129, 32), "129 frames"), ((1, 1, 128, 64), "64 mel bins"), ((1, 4, 128, 32), "4 view")],
)
def test_features_that_do_not_fit_are_refused(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"heads": (2,)}, "heads has 1 stages"),
        ({"heads": (3, 4)}, "3 heads do not divide"),
        ({"n_mels": 48}, "does not divide square_size"),
        ({"n_mels": 4, "square_size": 64}, "not a multiple of 8"),
        ({"window_size": 6}, "does not divide a stage's"),
        ({"depth": (2, 2)}, "did you mean 'depths'"),
        ({"embed_dim": -1}, "embed_dim"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        small(**options)


@torch.no_grad()
def test_augmentation_is_for_training_only_and_follows_the_default_generator() -> None:
    model = lively(small(drop_path=0.5, spec_augment=SpecAugmentConfig().plain()))
    features = torch.randn(4, 1, 128, 32)
    assert torch.equal(model(features).pooled, model(features).pooled)
    model.train()
    model.mel_norm.eval()
    torch.manual_seed(0)
    first = model(features).pooled
    second = model(features).pooled
    torch.manual_seed(0)
    assert torch.equal(model(features).pooled, first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "millions", "dim", "max_frames"),
    [("htsat-tiny", 27.5, 768, 1024), ("htsat-mini", None, None, 256), ("htsat-micro", None, None, 256)],
)
def test_the_sizes_are_those_of_the_paper_or_small(name: str, millions: float, dim: int, max_frames: int) -> None:
    with torch.device("meta"):
        model = audio_encoders.get(name)()
    count = sum(p.numel() for p in model.parameters()) / 1e6
    assert model.max_frames == max_frames
    assert model.n_mels == 64
    if millions is None:
        assert count < {"htsat-mini": 1.5, "htsat-micro": 0.3}[name]
    else:
        assert abs(count - millions) < 0.05
        assert model.dim == dim


@pytest.mark.parametrize(("name", "dim"), [("htsat-tiny", 768), ("htsat-base", 1024), ("htsat-large", 2048)])
def test_the_published_sizes_have_the_published_widths(name: str, dim: int) -> None:
    with torch.device("meta"):
        assert audio_encoders.get(name)().dim == dim
