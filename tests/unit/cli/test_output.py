"""Tables and JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from openclap.cli.output import Output, to_json


def test_json_has_null_for_what_is_not_a_number():
    assert json.loads(to_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": Path("x/y")})) == {
        "a": None,
        "b": [None, 1.5],
        "c": "x/y",
    }


def test_words_go_to_stderr_where_json_goes_to_stdout(capsys):
    out = Output(as_json=True)
    out.say("hello")
    out.table(("a",), [("x",)])
    out.result({"a": 1})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": 1}
    assert "hello" in printed.err
    assert "x" in printed.err


def test_without_json_a_result_prints_nothing(capsys):
    Output().result({"a": 1})
    assert capsys.readouterr().out == ""


def test_a_line_is_never_broken(capsys):
    Output().say("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_a_table_fits_the_terminal_and_loses_nothing(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    name = "n" * 150
    Output().table(("name", "value"), [(name, 0.5), ("[red]", 12.0)])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= int(width)
    assert text.count("n") >= 150
    assert "[red]" in text
    assert "0.500" in text


def test_numbers_stand_to_the_right_and_words_to_the_left(capsys):
    Output().table(("word", "number"), [("a", "5.0 %"), ("bbbbbb", "12.5 %")])
    rows = capsys.readouterr().out.splitlines()
    narrow = next(row for row in rows if "5.0 %" in row and "12.5" not in row)
    wide = next(row for row in rows if "12.5 %" in row)
    assert narrow.index("%") == wide.index("%")
    assert narrow.index("a") == wide.index("b")


def test_brackets_are_nothing_but_brackets(capsys):
    Output().say("sounds [bold]/a.wav ", ("[red]", "green"))
    assert "sounds [bold]/a.wav [red]" in capsys.readouterr().out


def test_no_color_is_respected(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    Output().say(("stop", "red"))
    assert "\x1b[31m" not in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_without_a_character_gets_another_and_json_stays_json(encoding, monkeypatch):
    name = "caf\u00e9 \u2192 \u97f3 \udce9.wav"  # the last is how Python holds a byte that is no UTF-8
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding))
    Output().table(("sound", "cosine"), [(name, 0.5)])
    written.truncate(0)
    written.seek(0)
    Output(as_json=True).result({"sound": name})
    assert json.loads(written.getvalue().decode(encoding)) == {"sound": name}


def test_a_column_can_be_cut_so_that_a_row_stays_a_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    Output(as_json=False).table(("name", "words"), [("first", "a " * 60), ("second", "few")], cut="words")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == 4  # heading, rule, two rows
    assert "…" in lines[2]
    assert "few" in lines[3]
