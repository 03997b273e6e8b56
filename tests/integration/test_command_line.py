"""The commands one after another, as a user types them, on a small corpus and a model of two steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import openclap
from openclap.cli.app import run
from openclap.evaluation.results import read_results

from .conftest import SMALL_CORPUS, SMALL_RUN, with_flag


def test_a_run_leaves_its_settings_its_log_its_curves_and_two_models(trained):
    assert {"config.yaml", "log.jsonl", "curves.png", "best", "last", "checkpoints"} <= {
        path.name for path in trained.iterdir()
    }


def test_info_describes_the_model(model, capsys):
    assert run(["info", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["audio_encoder"] == "htsat-micro"
    assert found["identity"] == openclap.load(model).identity
    assert found["provenance"]["data"]["train"]["licenses"] == {"CC0-1.0": 16}
    assert run(["info", model]) == 0
    assert "CC0-1.0 (16)" in capsys.readouterr().out


def test_a_second_run_in_the_same_place_is_refused(corpus, trained, capsys):
    arguments = ["train", "demo", "--data", str(corpus), "--out", str(trained), *with_flag("--set", SMALL_RUN)]
    assert run(arguments) == 6
    assert "--resume" in capsys.readouterr().err


def test_a_finished_run_is_resumed_to_nothing_more(trained, capsys):
    before = (trained / "last" / "model.safetensors").read_bytes()
    assert run(["train", str(trained), "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    assert (trained / "last" / "model.safetensors").read_bytes() == before


def test_eval_prints_numbers_beside_chance_and_writes_the_same(model, corpus, tmp_path, capsys):
    file = tmp_path / "deep" / "results.json"
    arguments = ["eval", model, "retrieval", "zero-shot", "--data", str(corpus), "--where", "split=test"]
    assert run([*arguments, "--set", "zero-shot.prompts=laion", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "chance" in printed
    assert "T→A R@10" in printed
    retrieval, zero_shot = read_results(file)
    assert retrieval.clips == 8
    assert retrieval.model["identity"] == openclap.load(model).identity
    assert zero_shot.settings["prompts"] == "laion"
    assert run([*arguments, "--set", "zero-shot.prompts=laion", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["results"]
    assert [result["scores"] for result in again] == [result.plain()["scores"] for result in (retrieval, zero_shot)]


def test_eval_takes_json_before_the_tasks_as_well(model, corpus, capsys):
    assert run(["eval", model, "--json", "retrieval", "--data", str(corpus), "--where", "split=test"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["task"] == "retrieval"


def test_eval_writes_a_page(model, corpus, tmp_path):
    page = tmp_path / "page"
    arguments = ["eval", model, "retrieval", "--data", str(corpus), "--where", "split=test"]
    assert run([*arguments, "--report", str(page)]) == 0
    assert "T→A R@10" in (page / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retreival"], "'retrieval'"),
        (["retrieval", "--set", "retrieval.exmples=1"], "'examples'"),
        (["retrieval", "--set", "zero-shot.prompts=laion"], "retrieval"),
        (["retrieval", "--where", "splitt=test"], "'split'"),
        (["zero-shot", "--set", "zero-shot.prompts=loain"], "'laion'"),
    ],
)
def test_eval_answers_a_wrong_name_with_the_right_one(arguments, message, model, corpus, capsys):
    assert run(["eval", model, *arguments, "--data", str(corpus)]) == 2
    assert message in capsys.readouterr().err


def test_embedding_a_folder_gives_each_file_the_vector_that_it_has_alone(model, corpus, tmp_path):
    out = tmp_path / "vectors.npz"
    assert run(["embed", model, str(corpus / "test"), "--out", str(out)]) == 0
    embedder = openclap.load(model)
    with np.load(out) as stored:
        assert stored["vectors"].shape == (8, 32)
        assert str(stored["identity"]) == embedder.identity
        for path, vector in zip(stored["path"][:3], stored["vectors"], strict=False):
            assert float(embedder.embed_audio([str(path)])[0] @ vector) > 1 - 1e-6  # the embedder's own promise


def test_embedding_goes_on_past_a_bad_file_and_says_so(model, corpus, tmp_path, capsys):
    sounds = tmp_path / "sounds"
    shutil.copytree(corpus / "test", sounds)
    (sounds / "00000.flac").write_bytes(b"this is no sound")
    out = tmp_path / "vectors.npz"
    assert run(["embed", model, str(sounds), "--out", str(out), "--json"]) == 3
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["vectors"], len(found["bad"])) == (7, 1)
    assert found["bad"][0]["sound"].endswith("00000.flac")
    assert "00000.flac" in printed.err
    with np.load(out) as stored:
        assert not any(path.endswith("00000.flac") for path in stored["path"])


def test_an_embedding_that_was_killed_goes_on_and_gives_the_same_file(model, corpus, tmp_path, capsys, monkeypatch):
    from openclap.cli import embed
    from openclap.inference.job import EmbeddingJob

    monkeypatch.setattr(embed, "_PART", 3)
    whole, out = tmp_path / "whole.npz", tmp_path / "vectors.npz"
    assert run(["embed", model, str(corpus / "test"), "--out", str(whole)]) == 0
    add, parts = EmbeddingJob.add, []

    def add_and_die(job, sounds):
        add(job, sounds)
        parts.append(len(sounds))
        if len(parts) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(EmbeddingJob, "add", add_and_die)
    assert run(["embed", model, str(corpus / "test"), "--out", str(out)]) == 130
    assert not out.exists()
    capsys.readouterr()
    assert run(["embed", model, str(corpus / "test"), "--out", str(out)]) == 0
    assert "6 of 8 sounds are done already" in capsys.readouterr().out
    assert parts == [3, 3, 2]
    with np.load(whole) as expected, np.load(out) as stored:
        assert stored.files == expected.files
        for name in expected.files:
            np.testing.assert_array_equal(stored[name], expected[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vectors.npz", "whole.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no locks on directories")
@pytest.mark.parametrize("restart", [[], ["--restart"]])
def test_two_processes_do_not_embed_to_one_file(model, corpus, tmp_path, capsys, restart):
    from openclap.exclusive import held

    out, unfinished = tmp_path / "vectors.npz", tmp_path / "vectors.npz.unfinished"
    unfinished.mkdir()
    with held(unfinished):
        assert run(["embed", model, str(corpus / "test"), "--out", str(out), *restart]) == 2
    assert "another process is embedding" in capsys.readouterr().err
    assert unfinished.is_dir()
    assert run(["embed", model, str(corpus / "test"), "--out", str(out), *restart]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npz"]


def test_what_a_killed_embedding_leaves_is_its_work_and_nothing_else(model, corpus, tmp_path):
    out = tmp_path / "vectors.npz"
    code = (
        "import os, openclap.inference.job as j\n"
        "from openclap.cli.app import run\n"
        "j.EmbeddingJob.collect = lambda *_: os._exit(9)\n"
        f"run(['embed', {model!r}, {str(corpus / 'test')!r}, '--out', {str(out)!r}])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 9
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npz.unfinished"]


def test_unfinished_work_is_not_mixed_with_another_kind(model, corpus, tmp_path, capsys):
    from openclap.inference.job import EmbeddingJob

    out = tmp_path / "vectors.npz"
    EmbeddingJob.open(tmp_path / "vectors.npz.unfinished", "another model", {"windows": False})
    assert run(["embed", model, str(corpus / "test"), "--out", str(out)]) == 8
    assert "--restart" in capsys.readouterr().err
    assert run(["embed", model, str(corpus / "test"), "--out", str(out), "--restart"]) == 0


def test_parts_of_files_are_embedded_as_parts(model, corpus, tmp_path):
    manifest, out = tmp_path / "parts.csv", tmp_path / "vectors.npz"
    sound = corpus / "test" / "00000.flac"
    manifest.write_text(f"path,start_s,duration_s\n{sound},0,1\n{sound},1.5,1\n{sound},9,1\n", encoding="utf-8")
    assert run(["embed", model, str(manifest), "--out", str(out)]) == 3  # the third lies past the end
    with np.load(out) as stored:
        assert stored["start_s"].tolist() == [0.0, 1.5]
        assert stored["end_s"].tolist() == [1.0, 2.5]
        assert abs(float(stored["vectors"][0] @ stored["vectors"][1])) < 1 - 1e-6


def test_windows_of_a_long_file_have_their_places(model, tmp_path):
    import soundfile

    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", rng.uniform(-0.5, 0.5, 16_000 * 12).astype(np.float32), 16_000)
    out = tmp_path / "vectors.parquet"
    assert run(["embed", model, str(tmp_path / "long.wav"), "--windows", "--out", str(out)]) == 0
    import pyarrow.parquet as pq

    table = pq.read_table(out)
    assert table["start_s"].to_pylist() == [0.0, 5.0, 7.0]
    assert table["end_s"].to_pylist() == [5.0, 10.0, 12.0]


def test_windows_may_overlap_and_long_sound_may_not_be_fused_by_a_plain_model(model, tmp_path, capsys):
    import soundfile

    sound, out = str(tmp_path / "long.wav"), tmp_path / "vectors.npz"
    soundfile.write(sound, np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 12).astype(np.float32), 16_000)
    assert run(["embed", model, sound, "--windows", "--hop", "2.5", "--out", str(out)]) == 0
    with np.load(out) as stored:
        assert stored["start_s"].tolist() == [0.0, 2.5, 5.0, 7.0]
    assert run(["embed", model, sound, "--long", "fusion", "--out", str(out)]) == 2
    assert "fusion" in capsys.readouterr().err
    assert run(["embed", model, sound, "--long", "sideways", "--out", str(out)]) == 2
    assert "auto, windows, fusion" in capsys.readouterr().err


def test_texts_are_embedded(model, tmp_path):
    out = tmp_path / "texts.npz"
    assert run(["embed", model, "--text", "rain", "--text", "a dog", "--out", str(out)]) == 0
    with np.load(out) as stored:
        np.testing.assert_allclose(stored["vectors"], openclap.load(model).embed_text(["rain", "a dog"]), atol=1e-6)


def test_classify_gives_each_sound_its_likeliest_labels(model, corpus, capsys):
    arguments = ["classify", model, str(corpus / "test"), "-l", "rain", "-l", "dog", "-l", "bell", "--top", "2"]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 8
    for entry in found:
        first, second = entry["labels"]
        assert first["probability"] >= second["probability"]
    assert run([*arguments, "--prompts", "a recording of {label}", "--multi-label"]) == 0
    assert "cosine" in capsys.readouterr().out


def test_similarity_ranks_pairs(model, corpus, capsys):
    sounds = [str(corpus / "test" / name) for name in ("00000.flac", "00001.flac")]
    assert run(["similarity", model, *sounds, "-t", "rain", "-t", "a dog", "--json"]) == 0
    cosines = [entry["cosine"] for entry in json.loads(capsys.readouterr().out)]
    assert len(cosines) == 4
    assert cosines == sorted(cosines, reverse=True)


@pytest.mark.parametrize("command", [["similarity", "-t", "rain"], ["classify", "-l", "rain", "-l", "dog"]])
def test_a_sound_that_cannot_be_read_does_not_hide_the_others(command, model, corpus, tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"this is no sound")
    shutil.copy(corpus / "test" / "00000.flac", tmp_path)
    assert run([command[0], model, str(tmp_path), *command[1:], "--json"]) == 3
    good, bad = json.loads(capsys.readouterr().out)
    assert good["sound"].endswith("00000.flac")
    assert bad["sound"].endswith("broken.wav")
    assert bad["error"]


def test_stored_vectors_stand_for_their_sounds(model, corpus, tmp_path, capsys):
    sounds, stored = str(corpus / "test"), str(tmp_path / "vectors.parquet")
    assert run(["embed", model, sounds, "--out", stored]) == 0
    capsys.readouterr()
    assert run(["similarity", model, stored, "-t", "rain", "--json"]) == 0
    from_vectors = json.loads(capsys.readouterr().out)
    assert run(["similarity", model, sounds, "-t", "rain", "--json"]) == 0
    from_sounds = json.loads(capsys.readouterr().out)
    assert [row["sound"] for row in from_vectors] == [row["sound"] for row in from_sounds]
    assert [row["cosine"] for row in from_vectors] == pytest.approx([row["cosine"] for row in from_sounds], abs=1e-6)


def test_stored_vectors_of_another_model_are_refused(model, tmp_path, capsys):
    stored = tmp_path / "vectors.npz"
    np.savez(stored, vectors=np.ones((1, 32), np.float32), identity="another", path=["a.wav"], start_s=[0], end_s=[1])
    assert run(["similarity", model, str(stored), "-t", "rain"]) == 8
    assert "another model" in capsys.readouterr().err


def test_a_precision_that_does_not_exist_is_answered_with_those_that_do(model, corpus, capsys):
    assert run(["similarity", model, str(corpus / "test"), "-t", "rain", "--precision", "fp8"]) == 2
    assert "fp32, bf16, int8" in capsys.readouterr().err


def test_a_tokenizer_for_a_model_that_has_one_is_refused(model, corpus, tmp_path, capsys):
    assert run(["similarity", model, str(corpus / "test"), "-t", "rain", "--tokenizer", str(tmp_path)]) == 5
    assert "has a tokenizer of its own" in capsys.readouterr().err


def test_what_looks_broken_is_said_and_can_be_left_unasked(model, corpus, tmp_path, capsys):
    import torch

    from openclap.checkpoints.native import load_bundle, save_bundle

    bundle = load_bundle(model)
    torch.nn.init.zeros_(bundle.model.text_projection[0].weight)  # every caption gets the same vector
    broken = str(save_bundle(bundle, tmp_path / "broken"))
    arguments = ["similarity", broken, str(corpus / "test" / "00000.flac"), "-t", "rain"]
    assert run(arguments) == 0
    assert "text-collapse" in capsys.readouterr().out
    assert run([*arguments, "--no-check"]) == 0
    assert "text-collapse" not in capsys.readouterr().out


def test_data_check_finds_leakage_and_exits_with_3(corpus, tmp_path, capsys):
    assert run(["data", "check", str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 28
    folder = tmp_path / "copy"
    shutil.copytree(corpus, folder)
    shutil.copy(folder / "train" / "00000.flac", folder / "test" / "00000.flac")
    assert run(["data", "check", str(folder)]) == 3
    assert "more than one split" in capsys.readouterr().out


def test_the_demo_goes_the_whole_way_and_does_nothing_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["demo", *with_flag("--set", SMALL_RUN), *with_flag("--corpus-set", SMALL_CORPUS)]
    assert run([*arguments, "--json"]) == 0
    first = capsys.readouterr()
    assert (tmp_path / "runs" / "demo" / "report" / "index.html").exists()
    for command in ("openclap classify", "openclap embed", "openclap train"):
        assert command in first.err
    weights = tmp_path / "runs" / "demo" / "best" / "model.safetensors"
    sound = tmp_path / "corpora" / "soundscapes" / "train" / "00000.flac"
    made = weights.read_bytes(), sound.stat().st_mtime_ns
    assert run([*arguments, "--json"]) == 0
    second = capsys.readouterr()
    assert (weights.read_bytes(), sound.stat().st_mtime_ns) == made
    scores = [[r["scores"] for r in json.loads(printed.out)["results"]] for printed in (first, second)]
    assert scores[0] == scores[1]


def test_one_trains_on_a_folder_of_sounds_with_text_files_beside_them(corpus, tmp_path, capsys):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for place, file in enumerate(sorted((corpus / "train").iterdir())[:6]):
        shutil.copy(file, sounds / file.name)
        (sounds / file.with_suffix(".txt").name).write_text(f"sound number {place}\n", encoding="utf-8")
    out = tmp_path / "run"
    settings = with_flag("--set", [*SMALL_RUN, "data.batch_size=4"])
    assert run(["train", "demo", "--data", str(sounds), "--out", str(out), *settings]) == 0
    assert "no clips for validation" in capsys.readouterr().out
    assert openclap.load(out / "best").embed_dim == 32


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_during_training_ends_it_with_its_own_code(sent, code, corpus, tmp_path):
    out = tmp_path / "run"
    settings = with_flag("--set", [*SMALL_RUN, "trainer.max_steps=100000", "trainer.log_every=1"])
    with _started(["train", "demo", "--data", str(corpus), "--out", str(out), *settings]) as process:
        log, deadline = out / "log.jsonl", time.monotonic() + 120
        while not (log.exists() and '"kind": "step"' in log.read_text(encoding="utf-8")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no step within two minutes"
            time.sleep(0.1)
        process.send_signal(sent)
        _, complaints = process.communicate(timeout=120)
    assert process.returncode == code, complaints
    assert "Traceback" not in complaints
    assert (out / "last" / "model.safetensors").exists() is (sent == signal.SIGTERM)  # it saves, an interrupt does not


@pytest.mark.parametrize("arguments", [["recipes", "demo"], ["tasks"], ["recipes", "--json"]])
def test_a_pipe_that_nobody_reads_ends_the_command_quietly(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with _started(arguments, stdout=writer) as process:
        os.close(writer)
        _, complaints = process.communicate(timeout=120)
    assert "rror" not in complaints, complaints
    assert process.returncode == 1


# A shell's background jobs ignore Ctrl-C, and so would what these tests start if they are such a job.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from openclap.cli import main; main()"
)


@contextmanager
def _started(arguments: list[str], stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """`openclap` in a process of its own, which does not outlive the test."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
