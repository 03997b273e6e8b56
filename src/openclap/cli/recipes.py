"""`openclap recipes`: the named training runs."""

from __future__ import annotations

from typing import Annotated

import typer

from openclap.cli.options import Json


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one whole, as YAML.")] = None,
    as_json: Json = False,
) -> None:
    """List the recipes, or print one whole.

    Printed as YAML, it can be saved, changed, and given to `openclap train` as a file. What is published of it,
    and where it differs, stands above it.
    """
    from inspect import cleandoc
    from textwrap import indent

    from openclap.cli.output import Output
    from openclap.cli.summary import first_line
    from openclap.recipes.registry import recipes as registry

    out = Output(as_json)
    if name is not None:
        config = registry.get(name)()
        if as_json:
            out.result(config.plain())
        else:
            typer.echo(indent(cleandoc(registry.get(name).__doc__ or ""), "# ", lambda _: True).replace("# \n", "#\n"))
            typer.echo(config.yaml(), nl=False)
        return
    found = [{"name": known, "about": first_line(registry.get(known))} for known in registry.names()]
    out.table(("name", "about"), [tuple(row.values()) for row in found])
    out.result(found)
