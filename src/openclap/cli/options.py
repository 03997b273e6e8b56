"""Options and arguments that several commands share, declared once so that they read alike everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from openclap.data.columns import ColumnConfig

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and words on stderr.")]
Model = Annotated[
    str, typer.Argument(help="A directory such as runs/demo/best, a file of weights, a hub name, or a known name.")
]
Sounds = Annotated[
    list[Path],
    typer.Argument(metavar="SOUND…", help="Sound files, folders of them, manifests, or what `openclap embed` wrote."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Windows of sound in one pass.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="KEY=VALUE",
        help="Only such clips, as split=test; repeatable, also for one key.",
    ),
]

MOST = 10**15
"""The largest number of clips that an option takes."""

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=NAME", help="A column by its name, as captions=english; repeatable."),
]


def device_name(device: str) -> str:
    """The device that is meant: "auto" is a GPU if there is one."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def conditions(where: list[str] | None) -> dict[str, object]:
    """`--where` settings as a mapping; true and false are no texts, and of a key given several times any value fits.

    Raises:
        typer.BadParameter: for one that is not KEY=VALUE.
    """
    found: dict[str, list[str | bool]] = {}
    flags = {"true": True, "false": False}
    for setting in where or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{setting!r} is not KEY=VALUE, as in split=test", param_hint="--where")
        found.setdefault(key, []).append(flags.get(value, value))
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def column_config(columns: list[str] | None) -> ColumnConfig | None:
    """`--column` settings; a field that is given several times is read from several columns.

    Raises:
        ConfigError: for a field that does not exist.
    """
    if not columns:
        return None
    from openclap.data.columns import ColumnConfig

    found: dict[str, list[str]] = {}
    for setting in columns:
        field, equals, name = setting.partition("=")
        if not equals or not field:
            raise typer.BadParameter(f"{setting!r} is not FIELD=NAME, as in audio=clip", param_hint="--column")
        found.setdefault(field, []).append(name)
    values = {field: names[0] if len(names) == 1 else names for field, names in found.items()}
    return ColumnConfig.read(values, origin="--column")


def option_tree(settings: Mapping[str, object]) -> dict[str, Any]:
    """Options with groups of options inside, of dotted keys: `gates.kept` is `kept` in `gates`.

    Raises:
        typer.BadParameter: if a group is a value, too.
    """
    tree: dict[str, Any] = {}
    for path, value in settings.items():
        *groups, last = path.split(".")
        place = tree
        for group in groups:
            inner = place.setdefault(group, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"{path}: {group!r} is a value, not a group of settings", param_hint="--set")
            place = inner
        place[last] = value
    return tree


def plain_settings(settings: list[str] | None) -> dict[str, object]:
    """`--set KEY=VALUE` settings as a mapping; values are YAML.

    Raises:
        typer.BadParameter: for one that is not KEY=VALUE.
        ConfigError: for a value that is not YAML.
    """
    from openclap.config import setting_value

    found: dict[str, object] = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
        found[key] = setting_value(value)
    return found
