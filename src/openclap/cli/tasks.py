"""`openclap tasks`: what a model can be evaluated on."""

from __future__ import annotations

from openclap.cli.options import Json


def tasks(as_json: Json = False) -> None:
    """List the tasks that `openclap eval` takes."""
    from openclap.cli.output import Output
    from openclap.evaluation.task import tasks as registry

    out = Output(as_json)
    known = [registry.get(name) for name in registry.names()]
    found = [{"name": task.name, "version": task.version, "protocol": task.protocol} for task in known]
    out.table(("name", "version", "protocol"), [tuple(row.values()) for row in found])
    out.result(found)
