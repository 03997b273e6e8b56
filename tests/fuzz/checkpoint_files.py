"""Checkpoints of every format, broken or hostile, through loading and describing them."""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
from pathlib import Path
from typing import Any

import torch
from hostile_pickles import hostile_pickle
from mutations import broken_bytes, broken_json

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.mel import MelConfig
from openclap.checkpoints.describe import describe
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, BundleConfig, save_bundle
from openclap.errors import OpenclapError
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

CANARY = "canary"
_JSON = ("config.json", "config.json", "config.json", "tokenizer.json", "tokenizer_config.json", "provenance.json")


class Checkpoints:
    """A bundle with one broken file, a file of PyTorch's format, or bare safetensors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._canary = folder / CANARY
        self._whole = save_bundle(_bundle(), folder / "whole")
        self._json = {name: (self._whole / name).read_text() for name in set(_JSON)}
        self._weights = (self._whole / "model.safetensors").read_bytes()
        self._pickles = [_saved(content, zipped) for content in _state_dicts() for zipped in (True, False)]

    def make(self, rng: random.Random) -> tuple[str, bytes]:
        kind = rng.random()
        if kind < 0.35:
            name = rng.choice(_JSON)
            return name, broken_json(rng, self._json[name])
        if kind < 0.6:
            name = rng.choice(("model.safetensors", "model.safetensors", "bare.safetensors"))
            return name, _broken_safetensors(rng, self._weights)
        if kind < 0.8:
            return "model.pt", broken_bytes(rng, rng.choice(self._pickles), head=2000)
        return "model.pt", hostile_pickle(rng, str(self._canary))

    def read(self, made: tuple[str, bytes]) -> None:
        name, data = made
        broken = self._folder / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        if name in ("model.pt", "bare.safetensors"):
            broken.mkdir()
            place = broken / name
        else:
            shutil.copytree(self._whole, broken)
            place = broken
        (broken / name).write_bytes(data)
        raised = None
        for use in (describe, lambda path: load(path, tokenizer=None if path.is_dir() else self._whole)):
            try:
                use(place)
            except OpenclapError as error:
                raised = error
        if self._canary.exists():
            self._canary.unlink()
            raise AssertionError("the file's code was run")
        if raised is not None:
            raise raised

    def keep(self, made: tuple[str, bytes], number: int) -> str:
        path = self._folder / f"checkpoint-{number}-{made[0]}"
        path.write_bytes(made[1])
        return str(path)


def _bundle() -> Bundle:
    tokenizer = Tokenizer.train(["a dog barks", "rain falls on a roof"], 200, TokenizerConfig(max_length=24))
    mel = MelConfig(sample_rate_hz=8000, n_fft=512, win_length=512, hop_length=80, f_max_hz=4000.0)
    frontend = FrontendConfig(window_s=0.5, mel=mel)
    config = ClapConfig(
        audio=EncoderConfig(name="htsat-micro", options={"depths": [1, 1, 1]}),
        text=EncoderConfig(name="text-micro", options={"vocab_size": 200, "layers": 1, "dim": 16}),
        embed_dim=16,
    )
    torch.manual_seed(0)
    described = BundleConfig(name="tiny", model=config, frontend=frontend, tokenizer=tokenizer.config)
    return Bundle(Clap(config), Frontend(frontend), tokenizer, described)


_NAMES = {
    "laion": (
        "module.logit_scale_a module.logit_scale_t module.text_branch.pooler.dense.weight "
        "module.audio_branch.bn0.weight module.audio_branch.patch_embed.proj.weight "
        "module.audio_branch.layers.0.blocks.0.attn.qkv.weight "
        "module.audio_projection.0.weight module.text_projection.0.weight"
    ),
    "msclap": (
        "caption_encoder.base.wte.weight caption_encoder.projection.linear1.weight audio_encoder.base.htsat.bn0.weight "
        "audio_encoder.projection.linear1.weight logit_scale"
    ),
    "audiomae": (
        "cls_token pos_embed patch_embed.proj.weight blocks.0.attn.qkv.weight decoder_embed.weight mask_token"
    ),
    "nobody": "a b",
}


def _state_dicts() -> list[Any]:
    """What files of the family look like from far: names that adapters recognise, over tensors that do not fit."""
    small = torch.arange(6.0).reshape(2, 3)
    found = [dict.fromkeys(names.split(), small) for names in _NAMES.values()]
    return [{"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}} for state in found] + [{"model": found[1]}]


def _saved(content: Any, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _broken_safetensors(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.3:
        return broken_bytes(rng, data, head=200)
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    for _ in range(rng.randint(1, 3)):
        name = rng.choice([name for name in header if name != "__metadata__"])
        entry = dict(header[name])
        kind = rng.randrange(8)
        if kind == 0:
            entry["data_offsets"] = [rng.choice((0, -1, 8, 2**40, len(body))), rng.choice((0, 4, 2**63, len(body)))]
        elif kind == 1:
            entry["shape"] = rng.choice(([], [0], [-1], [2**62, 2**62], entry["shape"] * 3, [10**12], [1] * 5000))
        elif kind == 2:
            entry["dtype"] = rng.choice(("F64", "F16", "BF16", "BOOL", "I64", "F8_E4M3", "x", None, 3))
        elif kind == 3:
            start, end = entry["data_offsets"]
            no_number = rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff"))  # NaN, infinities
            body = body[:start] + no_number * ((end - start) // 4) + body[end:]
        elif kind == 4:
            header[rng.choice(("x", "", "a" * 10_000, "\ud800", "__metadata__"))] = entry
        elif kind == 5:
            other = rng.choice(list(header))
            header[other], header[name] = header[name], header[other]
        elif kind == 6:
            header.pop(name)
            if len(header) < 3:
                break
            continue
        else:
            entry = rng.choice((None, [], {}, 3))
        header[name] = entry
    text = json.dumps(header).encode()
    stated = len(text) if rng.random() < 0.8 else rng.choice((0, 1, 2**20, 2**40, 2**63, 2**64 - 1, len(text) - 1))
    return struct.pack("<Q", stated) + text + body
