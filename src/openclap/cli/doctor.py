"""`openclap doctor`: is everything here, and is it as fast as it could be?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from openclap.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Check the installation and the machine.

    Says what to do about what is found. Exits with 1 if there is a problem: something that will fail.
    """
    from rich.text import Text

    from openclap.cli.checks import all_checks
    from openclap.cli.output import Output

    out = Output(as_json)
    checks = list(all_checks())
    marks = {"ok": Text("ok", "green"), "hint": Text("hint", "yellow"), "problem": Text("problem", "bold red")}
    rows = [(marks[check.state], check.name, f"{check.value}\n→ {check.advice}" if check.advice else check.value)
            for check in checks]  # fmt: skip
    out.table(("", "what", "found"), rows)
    problems = sum(check.state == "problem" for check in checks)
    out.say("Everything that openclap needs is here." if not problems else f"{problems} thing(s) will not work.")
    out.result({"ok": not problems, "checks": [asdict(check) for check in checks]})
    if problems:
        raise typer.Exit(1)
