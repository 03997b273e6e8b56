"""A run that is killed and resumed ends with the very bits of one that was not: processes, signals, everything on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.training.config import RunConfig
from openclap.training.log import read_log
from openclap.training.setup import build_trainer

STEPS = 10
PROGRAM = """
import sys, time
from pathlib import Path
from openclap.training.config import RunConfig
from openclap.training.hooks import Hook
from openclap.training.setup import build_trainer

class Slow(Hook):  # so that a signal finds the run still at work
    def on_step(self, record):
        time.sleep(0.1)

if __name__ == "__main__":
    out = Path(sys.argv[2])
    trainer = build_trainer(RunConfig.read_yaml(sys.argv[1]), out, hooks=[Slow()])
    sys.exit(trainer.run(resume="--resume" in sys.argv).exit_code)
"""


@pytest.fixture
def config(tmp_path) -> RunConfig:
    """Workers, a cache, random crops, captions by chance, a broken file, accumulation, dropout, SpecAugment."""
    generator = np.random.default_rng(0)
    rows = []
    for i in range(16):
        wave = 0.3 * np.sin(2 * np.pi * (100 + 90 * i) * np.arange(12000) / 8000) + 0.01 * generator.normal(size=12000)
        soundfile.write(tmp_path / f"{i}.wav", wave, 8000)
        captions = [f"tone number {i}", f"a {'low' if i < 8 else 'high'} tone"]
        rows.append({"audio": f"{i}.wav", "captions": captions, "labels": [f"t{i % 4}"]})
    (tmp_path / "3.wav").write_bytes(b"no sound")
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    mel = {"sample_rate_hz": 8000, "n_fft": 512, "win_length": 512, "hop_length": 80, "f_max_hz": 4000.0}
    return RunConfig.read(
        {
            "name": "tones",
            "seed": 7,
            "data": {
                "train": {"path": str(manifest)},
                "validation": {"path": str(manifest)},
                "captions": {"p_labels": 0.3},
                "batch_size": 4,
                "workers": 2,
                "cache_bytes": 200_000,
            },
            "frontend": {"window_s": 0.5, "mel": mel},
            "model": {
                "audio": {
                    "name": "htsat-micro",
                    "options": {"depths": [1, 1, 1], "drop_path": 0.2, "spec_augment": {"time_width": 10}},
                },
                "text": {"name": "text-micro", "options": {"layers": 1, "dim": 16, "dropout": 0.2}},
                "embed_dim": 16,
            },
            "tokenizer": {"max_length": 16},
            "vocab_size": 200,
            "trainer": {
                "max_steps": STEPS,
                "accumulate": 2,
                "log_every": 1,
                "save_every": 3,
                "eval_every": 4,
                "keep": 1,
                "tensorboard": False,
                "curves": False,
            },
        }
    )


def start(folder: Path, out: Path, *flags: str) -> subprocess.Popen[bytes]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(folder / "config.yaml"), str(out), *flags]
    return subprocess.Popen(command, start_new_session=True)  # its workers share its process group


def wait_for_step(out: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while max((event["step"] for event in read_log(out / "log.jsonl")), default=0) < step:
        assert process.poll() is None, f"ended with {process.returncode} before step {step}"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_workers_to_end(group: int) -> None:
    if shutil.which("ps") is None:
        return
    deadline = time.monotonic() + 60
    while alive := [line for line in processes(group) if " Z" not in line]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def processes(group: int) -> list[str]:
    """The group's processes with their states; "Z" has ended, and waits for somebody to ask how."""
    listed = subprocess.run(["ps", "-eo", "pgid,pid,stat"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines()[1:] if line.split()[0] == str(group)]


def test_a_run_ended_by_sigkill_and_sigterm_ends_with_the_bits_of_one_that_was_not(config, tmp_path):
    (tmp_path / "config.yaml").write_text(config.yaml())
    out = tmp_path / "cut"
    chance = random.Random(1)
    ends = [(2, signal.SIGKILL), (5, signal.SIGTERM), (8, signal.SIGKILL)]
    for number, (step, with_signal) in enumerate(ends):
        process = start(tmp_path, out, *(["--resume"] if number else []))
        wait_for_step(out, step, process)
        time.sleep(chance.uniform(0, 0.1))  # anywhere in a step, or in what follows it
        os.kill(process.pid, with_signal)
        code = process.wait(timeout=60)
        assert code == (143 if with_signal == signal.SIGTERM else -signal.SIGKILL)
        wait_for_workers_to_end(process.pid)
    assert start(tmp_path, out, "--resume").wait(timeout=120) == 0

    whole = tmp_path / "whole"
    build_trainer(config, whole).run()
    for name in ("last", "best"):
        assert (out / name / "model.safetensors").read_bytes() == (whole / name / "model.safetensors").read_bytes()
    losses = [
        [(event["step"], event["loss"]) for event in read_log(folder / "log.jsonl") if event["kind"] == "step"]
        for folder in (out, whole)
    ]
    assert losses[0] == losses[1]
    assert [step for step, _ in losses[0]] == list(range(1, STEPS + 1))


def test_any_number_of_workers_gives_the_same_bits(config, tmp_path):
    short = config.override(["trainer.max_steps=3"])
    for workers in (0, 2):
        build_trainer(short.override([f"data.workers={workers}"]), tmp_path / str(workers)).run()
    first, second = ((tmp_path / name / "last" / "model.safetensors").read_bytes() for name in ("0", "2"))
    assert first == second
