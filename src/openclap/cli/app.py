"""The `openclap` command: its sub-commands put together, and what happens to the errors that they raise.

Exit codes: 0; the code of the error (drawn in `openclap.errors`); 2 for a wrong command line; 130 after Ctrl-C; 143
when training was ended by SIGTERM and has saved. With `--debug` or OPENCLAP_DEBUG=1 an error comes with its traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from openclap import __version__
from openclap.cli import (
    captions,
    checkpoint,
    classify,
    data,
    demo,
    doctor,
    embed,
    eval,  # noqa: A004 - the command is named so, and nothing here evaluates Python
    export,
    info,
    models,
    recipes,
    reconstruct,
    similarity,
    tasks,
    train,
)
from openclap.errors import OpenclapError

app = typer.Typer(
    name="openclap",
    help="One space for sound and language: train it, evaluate it, and put it to use.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_START, _USE, _LISTS = "Train and evaluate", "Use a model", "Look around"
app.command("demo", rich_help_panel=_START)(demo.demo)
app.command("train", rich_help_panel=_START)(train.train)
app.command("eval", cls=eval.EvalCommand, rich_help_panel=_START)(eval.evaluate)
app.add_typer(data.app, name="data", rich_help_panel=_START)
app.add_typer(captions.app, name="captions", rich_help_panel=_START)
app.command("embed", rich_help_panel=_USE)(embed.embed)
app.command("classify", rich_help_panel=_USE)(classify.classify)
app.command("similarity", rich_help_panel=_USE)(similarity.similarity)
app.command("reconstruct", rich_help_panel=_USE)(reconstruct.reconstruct)
app.add_typer(checkpoint.app, name="checkpoint", rich_help_panel=_USE)
app.command("export", rich_help_panel=_USE)(export.export)
app.command("info", rich_help_panel=_LISTS)(info.info)
app.command("recipes", rich_help_panel=_LISTS)(recipes.recipes)
app.command("tasks", rich_help_panel=_LISTS)(tasks.tasks)
app.command("models", rich_help_panel=_LISTS)(models.models)
app.command("doctor", rich_help_panel=_LISTS)(doctor.doctor)


def run(arguments: Sequence[str]) -> int:
    """Run the command line, and give its exit code; errors raised on purpose become a message on stderr."""
    debug = "--debug" in arguments or os.environ.get("OPENCLAP_DEBUG", "") not in {"", "0"}
    _prepare_process(debug)
    try:
        app([argument for argument in arguments if argument != "--debug"], prog_name="openclap")
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else int(finished.code is not None)
    except OpenclapError as error:
        if debug:
            raise
        return _complain(str(error), error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written: the user's to mend, not a defect
        if debug:
            raise
        return _complain(_told(error), OpenclapError.exit_code)
    return 0


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"openclap {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    pass


def _prepare_process(debug: bool) -> None:
    """What a program may decide for its process, and a library may not."""
    # Page faults cost convolutions up to half of their time; torch asks for huge pages only when told to.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # Threads that wait by spinning are quicker on idle cores, and many times slower where others want the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the tokenizer's threads do not survive the loader's fork
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("huggingface_hub").propagate = False  # it prints its messages itself
    if debug:
        logging.getLogger("matplotlib").setLevel(logging.INFO)


def _told(error: OSError) -> str:
    """What the system has against a file: the file first, and no number."""
    if error.filename is None or not error.strerror:
        return str(error)
    name = error.filename2 if error.filename2 is not None else error.filename
    return f"{os.fsdecode(name) if isinstance(name, str | bytes) else name}: {error.strerror}"


def _complain(message: str, code: int) -> int:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    sys.stderr.flush()
    return code
