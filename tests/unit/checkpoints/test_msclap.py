"""MS-CLAP's files, hand-made by the names and shapes of its public code, of a micro size."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import decoders, models, pre_tokenizers
from torch import Tensor

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.load import load, recognise
from openclap.checkpoints.maps.torchlibrosa import torchlibrosa_buffers
from openclap.checkpoints.native import Bundle, load_bundle, save_bundle
from openclap.checkpoints.pretrained_audio import AudioInit, load_audio
from openclap.checkpoints.source import open_file
from openclap.errors import CheckpointError
from openclap.models.clap import Clap, EncoderConfig
from openclap.models.layers.windows import relative_position_index, shift_mask
from openclap.models.zoo import audio_encoders
from openclap.text.tokenizer import Tokenizer

Shapes = dict[str, tuple[int, ...]]
EMBED, WORDS, PLACES = 12, 300, 100
ROUNDING = {"atol": 1e-5, "rtol": 1e-5}  # float32 sums in another order


def linear(name: str, out: int, into: int, bias: bool = True) -> Shapes:
    return {f"{name}.weight": (out, into)} | ({f"{name}.bias": (out,)} if bias else {})


def norm(name: str, dim: int) -> Shapes:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def batch_norm(name: str, dim: int) -> Shapes:
    return norm(name, dim) | {f"{name}.running_mean": (dim,), f"{name}.running_var": (dim,)}


def projection(name: str, into: int) -> Shapes:
    first, second = linear(f"{name}.linear1", EMBED, into, False), linear(f"{name}.linear2", EMBED, EMBED, False)
    return first | second | norm(f"{name}.layer_norm", EMBED)


def cnn14(prefix: str) -> Shapes:
    widths = (1, 4, 4, 8, 8, 8, 16)
    shapes = batch_norm(f"{prefix}bn0", 64)
    for i, (before, width) in enumerate(pairwise(widths), 1):
        block = f"{prefix}conv_block{i}"
        shapes |= {f"{block}.conv1.weight": (width, before, 3, 3), f"{block}.conv2.weight": (width, width, 3, 3)}
        shapes |= batch_norm(f"{block}.bn1", width) | batch_norm(f"{block}.bn2", width)
    return shapes | linear(f"{prefix}fc1", 16, 16) | linear(f"{prefix}fc_audioset", 527, 16)


def htsat(prefix: str) -> Shapes:
    shapes = batch_norm(f"{prefix}bn0", 64) | {f"{prefix}patch_embed.proj.weight": (8, 1, 4, 4)}
    shapes |= {f"{prefix}patch_embed.proj.bias": (8,)} | norm(f"{prefix}patch_embed.norm", 8)
    for stage, (depth, heads, dim) in enumerate([(2, 1, 8), (1, 2, 16)]):
        for i in range(depth):
            block = f"{prefix}layers.{stage}.blocks.{i}"
            shapes |= norm(f"{block}.norm1", dim) | norm(f"{block}.norm2", dim)
            shapes |= linear(f"{block}.attn.qkv", 3 * dim, dim) | linear(f"{block}.attn.proj", dim, dim)
            shapes |= linear(f"{block}.mlp.fc1", 4 * dim, dim) | linear(f"{block}.mlp.fc2", dim, 4 * dim)
            shapes |= {f"{block}.attn.relative_position_bias_table": (225, heads)}
    shapes |= linear(f"{prefix}layers.0.downsample.reduction", 16, 32, False)
    shapes |= norm(f"{prefix}layers.0.downsample.norm", 32) | norm(f"{prefix}norm", 16)
    shapes |= {f"{prefix}tscam_conv.weight": (527, 16, 8, 3), f"{prefix}tscam_conv.bias": (527,)}
    return shapes | linear(f"{prefix}head", 527, 527)


def bert(prefix: str) -> Shapes:
    shapes = {f"{prefix}embeddings.{name}_embeddings.weight": (size, 16)
              for name, size in (("word", WORDS), ("position", PLACES), ("token_type", 2))}  # fmt: skip
    layer = f"{prefix}encoder.layer.0"
    for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
        shapes |= linear(f"{layer}.{part}", 16, 16)
    shapes |= linear(f"{layer}.intermediate.dense", 64, 16) | linear(f"{layer}.output.dense", 16, 64)
    shapes |= norm(f"{layer}.attention.output.LayerNorm", 16) | norm(f"{layer}.output.LayerNorm", 16)
    return shapes | norm(f"{prefix}embeddings.LayerNorm", 16) | linear(f"{prefix}pooler.dense", 16, 16)


def gpt2(prefix: str) -> Shapes:
    layer = f"{prefix}h.0"
    shapes = {f"{prefix}wte.weight": (WORDS, 16), f"{prefix}wpe.weight": (PLACES, 16)}
    for part, into, out in (
        ("attn.c_attn", 16, 48),
        ("attn.c_proj", 16, 16),
        ("mlp.c_fc", 16, 64),
        ("mlp.c_proj", 64, 16),
    ):
        shapes |= {f"{layer}.{part}.weight": (into, out), f"{layer}.{part}.bias": (out,)}  # its maps lie transposed
    return shapes | norm(f"{layer}.ln_1", 16) | norm(f"{layer}.ln_2", 16) | norm(f"{prefix}ln_f", 16)


def published(version: str) -> dict[str, Tensor]:
    base = "audio_encoder.base."
    shapes = cnn14(base) | bert("caption_encoder.base.") if version == "2022" else htsat(f"{base}htsat.") | gpt2(
        "caption_encoder.base."
    )  # fmt: skip
    shapes |= projection("audio_encoder.projection", 16) | projection("caption_encoder.projection", 16)
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    for name in list(state):
        if name.endswith("running_var"):
            state[name] = state[name].abs() + 0.5
            state[name.replace("running_var", "num_batches_tracked")] = torch.tensor(9)
    state["logit_scale"] = torch.tensor(2.5)
    prefix = base if version == "2022" else f"{base}htsat."
    state |= {
        rule.theirs: rule.value() for rule in torchlibrosa_buffers(FRONTEND_PRESETS[f"msclap-{version}"].mel, prefix)
    }
    if version == "2023":
        for stage, i in ((0, 0), (0, 1), (1, 0)):
            state[f"{prefix}layers.{stage}.blocks.{i}.attn.relative_position_index"] = relative_position_index(8).view(
                64, 64
            )
        state[f"{prefix}layers.0.blocks.1.attn_mask"] = shift_mask(64, 8, 4)[:, 0]
    return state


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Path]:
    """A tokenizer of each kind: BERT's, and GPT-2's, where "!" is a word with the id 0 and "!!" another word."""
    folders = {"2022": tmp_path / "bert", "2023": tmp_path / "gpt2"}
    for folder in folders.values():
        folder.mkdir()
    Tokenizer.train(["a dog barks"], WORDS).save(folders["2022"])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate([*alphabet, "!!", "do", "dog"])}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[("!", "!"), ("d", "o"), ("do", "g")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|endoftext|>"])
    backend.save(str(folders["2023"] / "tokenizer.json"))
    (folders["2023"] / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return folders


def save(state: dict[str, Tensor], folder: Path, name: str = "weights.pth") -> Path:
    torch.save({"model": state}, folder / name)
    return folder / name


@pytest.mark.parametrize("version", ["2022", "2023"])
def test_what_was_read_is_written_again_as_it_was(version: str, words: dict[str, Path], tmp_path: Path) -> None:
    state = published(version)
    path = save(state, tmp_path)
    assert recognise(open_file(path)) == "msclap"
    bundle = load(path, tokenizer=words[version])
    assert bundle.config.model.audio.name == {"2022": "pann-cnn14", "2023": "htsat-tiny"}[version]
    assert bundle.frontend.config == FRONTEND_PRESETS[f"msclap-{version}"]
    assert bundle.provenance["format"] == "msclap"
    # By way of a bundle's directory: what no vector depends on is kept there, too.
    bundle = load_bundle(save_bundle(bundle, tmp_path / "bundle"))
    adapters.get("msclap").write(bundle, tmp_path / "again.pth")
    again = torch.load(tmp_path / "again.pth")["model"]
    assert again.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=0)


@torch.no_grad()
def test_the_audio_tower_of_2022_computes_what_its_own_project_computes(words: dict[str, Path], tmp_path: Path) -> None:
    state = published("2022")
    bundle = load(save(state, tmp_path), tokenizer=words["2022"])
    features = torch.randn(2, 1, 70, 64, generator=torch.Generator().manual_seed(1))
    own = {name.removeprefix("audio_encoder.base."): value for name, value in state.items()}

    def normed(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(x, own[f"{name}.running_mean"], own[f"{name}.running_var"], own[f"{name}.weight"],
                            own[f"{name}.bias"])  # fmt: skip

    x = normed(features.transpose(1, 3), "bn0").transpose(1, 3)
    for i in range(1, 7):
        for j in (1, 2):
            x = F.relu(normed(F.conv2d(x, own[f"conv_block{i}.conv{j}.weight"], padding=1), f"conv_block{i}.bn{j}"))
        x = F.avg_pool2d(x, 2 if i < 6 else 1)
    x = x.mean(dim=3)
    pooled = F.relu(F.linear(x.amax(dim=2) + x.mean(dim=2), own["fc1.weight"], own["fc1.bias"]))
    expected = F.normalize(projected(pooled, state, "audio_encoder.projection"), dim=-1)
    torch.testing.assert_close(bundle.model.encode_audio(features), expected, **ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("version", ["2022", "2023"])
def test_the_text_tower_computes_what_its_own_project_computes(
    version: str, words: dict[str, Path], tmp_path: Path
) -> None:
    """Rows of full length, padded with the id 0, as msclap makes them."""
    import transformers

    state = published(version)
    bundle = load(save(state, tmp_path), tokenizer=words[version])
    if version == "2022":
        config = transformers.BertConfig(
            vocab_size=WORDS, hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64,
            max_position_embeddings=PLACES,
        )  # fmt: skip
        theirs: Any = transformers.BertModel(config).eval()
    else:
        sizes = {"vocab_size": WORDS, "n_positions": PLACES, "n_embd": 16, "n_layer": 1, "n_head": 1}
        theirs = transformers.GPT2Model(transformers.GPT2Config(**sizes)).eval()
    prefix = "caption_encoder.base."
    theirs.load_state_dict({name.removeprefix(prefix): value for name, value in state.items() if prefix in name})
    texts = ["dog", "", "dog!", "!!", "a dog! barks! and wags"]
    batch = bundle.tokenizer(texts)
    length = 100 if version == "2022" else 77
    ids = F.pad(batch.input_ids * batch.attention_mask, (0, length - batch.input_ids.shape[1]))
    mask = F.pad(batch.attention_mask, (0, length - batch.input_ids.shape[1]))
    hidden = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    place = torch.zeros(5, dtype=torch.long) if version == "2022" else (ids != 0).sum(dim=1) - 1
    expected = F.normalize(projected(hidden[torch.arange(5), place], state, "caption_encoder.projection"), dim=-1)
    torch.testing.assert_close(bundle.model.encode_text(batch.input_ids, batch.attention_mask), expected, **ROUNDING)


def projected(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    first = x @ state[f"{name}.linear1.weight"].T
    second = F.gelu(first) @ state[f"{name}.linear2.weight"].T
    scale, shift = state[f"{name}.layer_norm.weight"], state[f"{name}.layer_norm.bias"]
    return F.layer_norm(first + second, (EMBED,), scale, shift)


def test_a_tokenizer_that_does_not_know_the_end_token_is_refused(words: dict[str, Path], tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer.from_file(str(words["2023"] / "tokenizer.json"))
    values = json.loads(backend.to_str())
    values["added_tokens"] = []
    (words["2023"] / "tokenizer.json").write_text(json.dumps(values))
    (words["2023"] / "tokenizer_config.json").write_text(json.dumps({"eos_token": "!"}))
    with pytest.raises(CheckpointError, match="another encoder's tokenizer"):
        load(save(published("2023"), tmp_path), tokenizer=words["2023"])


def test_a_cry_is_a_padding_token_and_moves_the_place_of_pooling(words: dict[str, Path], tmp_path: Path) -> None:
    bundle = load(save(published("2023"), tmp_path), tokenizer=words["2023"])
    end = bundle.tokenizer.vocab_size - 1
    row = bundle.tokenizer(["dog!!"]).input_ids[0].tolist()
    assert row[1:3] == [0, 0]  # not the word "!!"
    assert row[-1] == end
    assert bundle.tokenizer.pad_id == 0
    assert bundle.config.model.text.options["pooling"] == "nonzero-count"


def test_a_caption_over_the_limit_keeps_its_end_token(words: dict[str, Path], tmp_path: Path) -> None:
    bundle = load(save(published("2023"), tmp_path), tokenizer=words["2023"])
    row = bundle.tokenizer(["dog " * 99]).input_ids[0]
    assert len(row) == 77
    assert row[-1] == bundle.tokenizer.vocab_size - 1


def test_buffers_of_older_releases_are_known_and_checked(words: dict[str, Path], tmp_path: Path) -> None:
    prefix = "caption_encoder.base."
    cry = {f"{prefix}h.0.attn.bias": torch.ones(1, 1, PLACES, PLACES, dtype=torch.bool).tril(),
           f"{prefix}h.0.attn.masked_bias": torch.tensor(-1e4)}  # fmt: skip
    load(save(published("2023") | cry, tmp_path), tokenizer=words["2023"])
    places = {f"{prefix}embeddings.position_ids": torch.arange(PLACES)[None]}
    load(save(published("2022") | places, tmp_path), tokenizer=words["2022"])
    places[f"{prefix}embeddings.position_ids"] = torch.arange(PLACES)[None] + 1
    with pytest.raises(CheckpointError, match="position_ids"):
        load(save(published("2022") | places, tmp_path), tokenizer=words["2022"])


HTSAT = "audio_encoder.base.htsat."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({f"{HTSAT}norm.bias": None}, rf"missing {HTSAT}norm\.bias"),
        ({f"{HTSAT}extra": torch.zeros(1)}, rf"left over.*{HTSAT}extra"),
        ({"caption_encoder.base.h.0.ln_1.bias": None}, r"missing caption_encoder\.base\.h\.0\.ln_1\.bias"),
        ({"caption_encoder.base.wte.weight": None}, r"neither BERT nor GPT-2.*wte\.weight"),
        ({"audio_encoder.projection.linear1.weight": None}, r"audio_encoder\.projection\.linear1\.weight"),
        ({"logit_scale": None}, "missing logit_scale"),
        ({"caption_encoder.base.wte.weight": torch.zeros(WORDS)}, "not the shapes of an MS-CLAP"),
        ({f"{HTSAT}norm.bias": torch.zeros(7)}, r"norm\.bias \(\(7,\)"),
        ({f"{HTSAT}logmel_extractor.melW": torch.zeros(513, 64)}, r"logmel_extractor\.melW"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    change: dict[str, Any], told: str, words: dict[str, Path], tmp_path: Path
) -> None:
    state = {name: value for name, value in (published("2023") | change).items() if value is not None}
    with pytest.raises(CheckpointError, match=told):
        load(save(state, tmp_path), tokenizer=words["2023"])


def test_filters_of_the_audios_own_rate_are_refused(words: dict[str, Path], tmp_path: Path) -> None:
    """MS-CLAP's HTSAT was trained through filters for 32 kHz; another bank would be another model."""
    true_rate = FRONTEND_PRESETS["msclap-2023"].mel.model_copy(update={"filter_bank_sample_rate_hz": None})
    other = {rule.theirs: rule.value() for rule in torchlibrosa_buffers(true_rate, HTSAT)}
    with pytest.raises(CheckpointError, match="melW"):
        load(save(published("2023") | other, tmp_path), tokenizer=words["2023"])


def captioning() -> dict[str, Tensor]:
    """The audio tower of a clapcap file, and a part of its captioner."""
    state = {f"clap.{name.removeprefix('audio_encoder.')}": value for name, value in published("2023").items()
             if name.startswith("audio_encoder.")}  # fmt: skip
    return state | {"clap_project.prefix_const": torch.zeros(40, 16), "gpt.transformer.wte.weight": torch.zeros(9, 16)}


def test_a_captioning_model_is_told_from_the_others(tmp_path: Path) -> None:
    path = save(captioning(), tmp_path)
    assert recognise(open_file(path)) == "msclap"
    with pytest.raises(CheckpointError, match=r"captioning model \(clapcap\).*no text tower.*audio_init\.source"):
        load(path)


def test_the_audio_tower_of_any_file_starts_a_training_without_a_tokenizer(tmp_path: Path) -> None:
    laion = {
        name.replace("audio_encoder.base.htsat.", "audio_branch."): value for name, value in published("2023").items()
    }
    marks = ("logit_scale_a", "audio_projection.0.weight", "text_projection.0.weight", "text_branch.wpe.weight")
    laion |= {name: torch.zeros(1) for name in marks}
    files = [save(state, tmp_path, name) for name, state in
             (("2023.pth", published("2023")), ("clapcap.pth", captioning()), ("laion.pt", laion))]  # fmt: skip
    towers = [load_audio(AudioInit(source=str(file))) for file in files]
    for tower in towers:
        audio_encoders.get(tower.encoder.name)(**tower.encoder.options).load_state_dict(dict(tower.state))  # type: ignore[attr-defined]
    for other in towers[1:]:
        assert all(torch.equal(towers[0].state[name], value) for name, value in other.state.items())


def test_a_model_without_a_place_there_is_not_written(bundle: Bundle, words: dict[str, Path], tmp_path: Path) -> None:
    def refuse(model: Bundle, told: str) -> None:
        with pytest.raises(CheckpointError, match=told):
            adapters.get("msclap").write(model, tmp_path / "x.pth")
        assert not (tmp_path / "x.pth").exists()

    refuse(bundle, "text encoder is bert pooled by 'cls' or gpt2 pooled by 'nonzero-count', and not text-micro")
    mine = load(save(published("2023"), tmp_path), tokenizer=words["2023"])
    longer = FRONTEND_PRESETS["msclap-2023"].model_copy(update={"window_s": 6.0})
    refuse(replace(mine, frontend=Frontend(longer)), r"frontend\.window_s is 6\.0, and there 7\.0")
    text = mine.config.model.text.options
    text = text | {"hf": text["hf"] | {"activation_function": "relu"}}
    model = Clap(mine.config.model.model_copy(update={"text": EncoderConfig(name="hf", options=text)}))
    refuse(replace(mine, model=model), r"text\.activation_function is 'relu', and there 'gelu_new'")
