"""What commands say: words and tables for people, or one JSON document on stdout with the words on stderr."""

from __future__ import annotations

import io
import json
import math
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class Output:
    """Where one command's words and results go.

    Args:
        as_json: results go to stdout as JSON, and everything for people to stderr.
    """

    def __init__(self, as_json: bool = False) -> None:
        from rich.console import Console

        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character, or a file name that is no text
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self.console: Console = Console(stderr=as_json, highlight=False)

    def say(self, *parts: str | tuple[str, str]) -> None:
        """Print a line for people; it is never broken inside, so that paths can be copied.

        Args:
            parts: texts, each as it is or with a style ("bold"); brackets in them are nothing but brackets.
        """
        from rich.text import Text

        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a hint for people."""
        self.say(("note", "cyan"), f": {text}")

    def other_ids(self, count: int) -> None:
        """Say how many rows of a manifest have an id that is not their clip's."""
        from openclap.data.rows import OTHER_IDS

        if count:
            self.note(f"{count:,} {OTHER_IDS}")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", cut: str | None = None
    ) -> None:
        """Print a table for people; columns of numbers stand to the right.

        Args:
            columns: the headings.
            rows: cells; floats are printed with three decimals.
            title: stands above it.
            cut: the column whose cells are cut off where the table is too wide, so that a row stays a line; without
                one, cells are broken into lines.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        if title:
            self.console.print(Text(title, "bold"))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        lines = [[cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row] for row in rows]
        if cut is not None:
            widths = [max(cell.cell_len for cell in cells) for cells in zip(map(Text, columns), *lines, strict=True)]
            place = list(columns).index(cut)
            others = sum(widths) - widths[place] + 3 * len(columns)  # three between two columns
            for line in lines:
                line[place].truncate(max(self.console.width - others, _LEAST_CUT), overflow="ellipsis")
        for place, column in enumerate(columns):
            cells = [line[place].plain for line in lines]
            numbers = all(_NUMBER.match(cell) for cell in cells)
            table.add_column(Text(column), justify="right" if numbers else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        self.console.print(table)

    def result(self, values: Any) -> None:
        """Print the command's result as JSON, if JSON was asked for."""
        if self.as_json:
            sys.stdout.write(to_json(values, ascii_only=sys.stdout.encoding.lower() not in {"utf-8", "utf8"}))
            sys.stdout.flush()

    def progress(self, unit: str) -> Progress:
        """A progress bar on stderr with count, rate and time left; `with out.progress("clips") as bar: ...`."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        class Rate(TextColumn):
            def __init__(self) -> None:
                super().__init__("")

            def render(self, task: Any) -> Any:
                from rich.text import Text

                speed = task.finished_speed or task.speed
                return Text("" if speed is None else f"{speed:.1f} {unit}/s")

        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )


class Passes:
    """A bar of `Output.progress` that begins anew with each pass over the clips."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._task = bar, bar.add_task("reading", total=None)
        self._doing, self._next_s = "", 0.0

    def show(self, doing: str, done: int, total: int) -> None:
        """Show how far it is; ten times a second, since ids pass by the hundred thousand."""
        if doing != self._doing:
            self._doing = doing
            self._bar.reset(self._task, description=doing, total=total)
        if done == total or time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 0.1
            self._bar.update(self._task, completed=done, total=total)


def to_json(values: Any, *, ascii_only: bool = False) -> str:
    """JSON text of plain values: paths become strings, and NaN (a number that is not defined) null."""
    text = json.dumps(_plain(values), indent=2, ensure_ascii=ascii_only, allow_nan=False) + "\n"
    # A byte of a file name that is no UTF-8 is half a character in Python, which only JSON's own \udce9 can write.
    return text.encode(errors="backslashreplace").decode()


def _plain(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {str(key): _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple, set, frozenset)):
        return [_plain(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    if isinstance(values, Path):
        return str(values)
    return values


_NUMBER = re.compile(r"-?[\d.,]+( %| M| s| –|$)|–$|$")
_LEAST_CUT = 8  # characters that are left of a cell, however narrow the terminal


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
