"""The published architectures without their weights: every tensor's name and shape, and numbers made from the name.

Used on both sides: by data/make_published.py in the peers' environment, and by test_published.py here. A tensor's
numbers are a window that slides over one short run of random numbers, so that a checkpoint of 150 million numbers is a
file of a few megabytes and is made in a moment.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor

GAIN = 6.0
STEP = 3  # numbers from one row's window to the next
KEPT = slice(None, None, 4)  # of a vector's numbers, those that are stored
TEXTS = ("", "a dog barks!", "Käuzchen ruft im Wald")

_RUNNING_MEAN_DB, _RUNNING_STD_DB = -35.0, 20.0  # of log-mel features, which the first batch norm takes


def fill(name: str, shape: Sequence[int]) -> Tensor:
    """A tensor's numbers, the same on every machine; of many, overlapping windows of the same few."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    if "logit_scale" in name:
        return torch.tensor(2.9 if name.endswith(("_a", "scale")) else 3.3)
    rows, columns = (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
    run = torch.from_numpy(draw.standard_normal((rows - 1) * STEP + columns, dtype=np.float32))
    run = _scaled(run, name, shape, columns)
    if len(shape) < 2:
        return run.reshape(shape)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
    return run.as_strided(shape, (STEP, *strides))


def _scaled(run: Tensor, name: str, shape: Sequence[int], columns: int) -> Tensor:
    """Values that matter: neither so small that a mistake stays hidden, nor so large that all units saturate."""
    first_norm = re.search(r"(^|\.)(bn0|batch_norm)\.", name)
    if name.endswith("running_mean"):
        return _RUNNING_MEAN_DB + 5 * run if first_norm else 0.3 * run
    if name.endswith("running_var"):
        return (_RUNNING_STD_DB**2 if first_norm else 1.0) * (0.5 + run.abs())
    if len(shape) < 2:
        return 1 + 0.2 * run if name.endswith("weight") else 0.2 * run
    owner = name.split(".")[-2:][0]
    if "bias_table" in name or "embedding" in owner or owner in {"wte", "wpe"}:
        return 0.5 * run
    return run * (GAIN / columns) ** 0.5


def state(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """All tensors of an architecture."""
    return {name: fill(name, shape) for name, shape in shapes.items()}


def shift_mask(shape: Sequence[int]) -> Tensor:
    """What Swin's shifted windows of 8×8 tokens may not see: -100 between tokens that the shift has put together."""
    side = math.isqrt(shape[0]) * 8
    place = torch.arange(side)
    region = (place >= side - 8).int() + (place >= side - 4).int()
    label = 3 * region[:, None] + region
    windows = label.view(side // 8, 8, side // 8, 8).transpose(1, 2).reshape(-1, 64)
    return torch.where(windows[:, :, None] == windows[:, None], 0.0, -100.0)


def fingerprint(tensor: Tensor) -> list[float]:
    """Two numbers that change with a tensor's values and with their order."""
    values = tensor.double().flatten()
    return [float(values.abs().mean()), float(values @ torch.linspace(-1, 1, len(values), dtype=torch.float64))]


def sounds(rate_hz: int, window: int, *, fused: bool) -> dict[str, np.ndarray]:
    """A short clip, and one that fills the model's window; for a fused model one that is longer."""
    return {"short": _sound(rate_hz * 4 // 5, rate_hz), "long": _sound(window * 5 // 4 if fused else window, rate_hz)}


def _sound(n: int, rate_hz: int) -> np.ndarray:
    """A tone that rises and beats, in noise that comes and goes; no band is ever so quiet that rounding fills it."""
    t = np.arange(n) / rate_hz
    tone = 0.4 * np.sin(2 * np.pi * (200 + 150 * t) * t) * (0.55 + 0.45 * np.sin(2 * np.pi * 1.7 * t))
    noise = np.random.default_rng(n).standard_normal(n) * 0.02 * (1.2 + np.sin(2 * np.pi * 0.4 * t))
    return (tone + noise).astype(np.float32)


def write_tokenizer(kind: str, directory: Path) -> None:
    """A tokenizer of the text tower's form whose words are single bytes (or letters): nothing is learnt or stored."""
    directory.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if kind == "bert":
        specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        words = [*specials, *alphabet, *(f"##{letter}" for letter in alphabet)]
        backend = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        ends, settings = ("[CLS]", "[SEP]"), {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    else:
        specials = ["<s>", "<pad>", "</s>", "<unk>"] if kind == "roberta" else ["!", "<|endoftext|>"]
        words = [*specials, *(letter for letter in alphabet if letter not in specials)]
        backend = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        ends = ("<s>", "</s>") if kind == "roberta" else None
        settings = {"pad_token": specials[1 if ends else 0], "eos_token": specials[2 if ends else 1]}
    backend.add_special_tokens([word for word in specials if word != "!"])
    if ends:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{ends[0]} $A {ends[1]}", special_tokens=[(word, words.index(word)) for word in ends]
        )
    backend.save(str(directory / "tokenizer.json"))
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))


def fold(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Values by tensor name in few lines: numbers in names become `*`, and stand beside the value they go with.

    {"a.0.w": [2], "a.1.w": [2]} becomes {"a.*.w": {"[2]": "0-1"}}; groups of numbers are separated by blanks, and the
    numbers of one name by dots.
    """
    rows: dict[tuple[str, str], list[list[int]]] = {}
    for name, value in values.items():
        key = re.sub(r"\d+", "*", name), json.dumps(value)
        rows.setdefault(key, []).append([int(number) for number in re.findall(r"\d+", name)])
    found: dict[str, dict[str, str]] = {}
    for (pattern, value), numbers in rows.items():
        found.setdefault(pattern, {})[value] = " ".join(_groups(sorted(numbers)))
    return found


def unfold(folded: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What `fold` was given, in no particular order."""
    found = {}
    for pattern, values in folded.items():
        for value, groups in values.items():
            for group in groups.split(" "):
                ranges = [[int(end) for end in part.split("-")] for part in group.split(".") if part]
                for numbers in product(*(range(ends[0], ends[-1] + 1) for ends in ranges)):
                    parts = zip_longest(pattern.split("*"), numbers, fillvalue="")
                    found["".join(f"{text}{number}" for text, number in parts)] = json.loads(value)
    return found


def _groups(rows: list[list[int]]) -> list[str]:
    """Sorted rows of numbers, with those that differ only in the last number put together."""
    groups: list[tuple[list[int], int]] = []
    for row in rows:
        if groups and row and row[:-1] == groups[-1][0][:-1] and row[-1] == groups[-1][1] + 1:
            groups[-1] = (groups[-1][0], row[-1])
        else:
            groups.append((row, row[-1] if row else 0))
    return [".".join([*map(str, first[:-1]), f"{first[-1]}-{last}"]) if first else "" for first, last in groups]


def preprocessor(*, fused: bool) -> dict[str, Any]:
    """What stands in the preprocessor_config.json of the published Hugging Face directories."""
    return {
        "feature_extractor_type": "ClapFeatureExtractor",
        "feature_size": 64,
        "sampling_rate": 48_000,
        "hop_length": 480,
        "max_length_s": 10,
        "n_fft": 1024,
        "fft_window_size": 1024,
        "frequency_min": 50,
        "frequency_max": 14_000,
        "nb_max_samples": 480_000,
        "padding": "repeatpad",
        "truncation": "fusion" if fused else "rand_trunc",
        "top_db": None,
    }
