"""Exit codes, messages and suggestions of the command line, without any model."""

from __future__ import annotations

import json

import pytest

from openclap import errors
from openclap.cli import app, main
from openclap.cli.app import run

COMMANDS = [
    "demo",
    "train",
    "eval",
    "data",
    "embed",
    "classify",
    "similarity",
    "info",
    "recipes",
    "tasks",
    "models",
    "doctor",
]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["data", "check"], ["data", "prepare"]])
def test_every_command_explains_itself_within_80_columns(command, capsys):
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("data shard", ["16", "96", "512", "one a core"]),
        ("data get", ["corpora/NAME", "OUT/raw"]),
        ("train", ["runs/NAME"]),
    ],
)
def test_a_default_that_is_told_in_words_is_shown(command, defaults, capsys):
    assert run([*command.split(), "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert [word for word in defaults if f"[default: {word}]" not in said] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_with_a_line_of_its_own(command, capsys):
    run(["--help"])
    assert any(line.split()[1:2] == [command] for line in capsys.readouterr().out.splitlines())


def test_the_version_is_printed(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("openclap 0.")


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["trian", "demo"], "train"),
        (["train", "demo", "--dat", "x"], "--data"),
        (["train", "dmo", "--dry-run"], "'demo'"),
        (["train", "demo", "--dry-run", "--set", "optim.learning_rate=1"], "optim.learning_rate is not a setting"),
        (["train", "demo", "--dry-run", "--set", "optm.lr=1"], "'optim'"),
        (["train", "demo", "--dry-run", "--set", "data.batchsize=8"], "'batch_size'"),
        (["data", "prepare", "soundscape"], "'soundscapes'"),
        (["data", "prepare", "soundscapes", "--set", "n_trian=3"], "'n_train'"),
        (["recipes", "strater"], "'starter'"),
        (["data", "check", "x.csv", "--column", "captoins=a"], "'captions'"),
        (["data", "check", "x.csv", "--column", "audio"], "FIELD=NAME"),
    ],
)
def test_a_wrong_name_exits_with_2_and_gets_the_right_one(arguments, suggestion, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert suggestion in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["info", "no-such-model"], 5, "no-such-model"),
        (["data", "check", "no-such.csv"], 3, "no such file"),
        (["eval", "m", "retrieval", "--data", "no-such.csv"], 3, "no such file"),
        (["embed", "m", "no-such.wav"], 3, "no such file"),
        (["embed", "m", "--text", "rain", "--out", "vectors.txt"], 2, ".npz or .parquet"),
        (["embed", "m"], 2, "--text"),
        (["eval", "m", "retrieval", "--data", "x", "--where", "split"], 2, "KEY=VALUE"),
        (["train", "no-such.yaml"], 2, "no-such.yaml"),
    ],
)
def test_what_cannot_be_done_is_said_on_stderr_with_a_stable_code(
    arguments, code, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_debug_shows_where_an_error_came_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.CheckpointError):
        run(["info", "no-such-model", "--debug"])
    monkeypatch.setenv("OPENCLAP_DEBUG", "1")
    with pytest.raises(errors.CheckpointError):
        run(["info", "no-such-model"])


def test_a_message_is_printed_as_it_is_with_brackets_and_long_paths(capsys):
    message = f"{'long/' * 40}[bold].wav: is no sound"
    assert app._complain(message, 3) == 3
    assert message in capsys.readouterr().err


def test_an_interrupt_exits_with_130(monkeypatch, capsys):
    from openclap.evaluation.task import tasks

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "names", interrupt)
    assert run(["tasks"]) == 130


@pytest.mark.parametrize(
    "arguments",
    [["recipes"], ["recipes", "demo"], ["tasks"], ["models"], ["data", "list"], ["train", "demo", "--dry-run"]],
)
def test_json_is_all_that_stands_on_stdout(arguments, capsys):
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_a_recipe_that_was_printed_is_a_file_that_can_be_trained(capsys, tmp_path):
    assert run(["recipes", "demo"]) == 0
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["train", str(tmp_path / "mine.yaml"), "--dry-run", "--json", "--set", "optim.lr=1e-4"]) == 0
    mine = json.loads(capsys.readouterr().out)
    run(["recipes", "demo", "--json"])
    theirs = json.loads(capsys.readouterr().out)
    assert mine["optim"].pop("lr") == 1e-4
    del theirs["optim"]["lr"]
    assert mine == theirs


def test_the_doctor_finds_what_the_tests_need(capsys):
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    names = {check["name"] for check in report["checks"]}
    assert {"torch", "sound files", "CPU", "threads", "working folder", "extra train"} <= names


def test_a_check_of_the_doctor_that_fails_is_a_finding(monkeypatch, capsys):
    from openclap.cli import checks

    monkeypatch.setattr(checks, "BASE", ("torch", "no-such-package"))
    assert run(["doctor"]) == 1
    assert "no-such-package" in capsys.readouterr().out


def test_columns_that_are_named_by_hand_are_used_in_training_on_other_data(tmp_path, capsys):
    manifest = tmp_path / "clips.csv"
    manifest.write_text("klang,wort,split\na.wav,ein Hund,train\nb.wav,Regen,validation\n", encoding="utf-8")
    arguments = ["train", "demo", "--data", str(manifest), "--dry-run", "--json"]
    assert run(arguments) == 3
    capsys.readouterr()
    named = ["--set", "data.columns.audio=klang", "--set", "data.columns.captions=wort"]
    assert run([*arguments, *named]) == 0
    config = json.loads(capsys.readouterr().out)
    assert config["data"]["columns"]["audio"] == "klang"
    assert config["data"]["validation"]["where"] == {"split": "validation"}


def test_what_is_set_by_hand_wins_over_what_the_data_asks_for(tmp_path, capsys):
    manifest = tmp_path / "clips.csv"
    manifest.write_text("path,caption,split\na.wav,a dog,train\nb.wav,rain,validation\n", encoding="utf-8")
    arguments = ["train", "demo", "--data", str(manifest), "--dry-run", "--json"]
    assert run([*arguments, "--set", "data.validation=null", "--set", "trainer.best_metric=null"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["validation"] is None


def test_ctrl_c_while_modules_are_still_read_ends_with_130_and_no_traceback(monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
