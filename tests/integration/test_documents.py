"""What the documents tell a reader to type is there: commands, options, Python, links, make targets."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from openclap.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")


def _blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def _lines(page: Path) -> list[str]:
    """The lines of shell on a page; one that goes on after a backslash is one."""
    blocks = [re.sub(r"\\\n\s*", "", block) for block in _blocks(page, "bash", "console")]
    return [line for block in blocks for line in block.splitlines()]


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = _lines(page) + re.findall(r"`(openclap [^`]+)`", text)
        found += [
            (page.name, line.strip().removeprefix("$ ")) for line in lines if re.match(r" *(\$ )?openclap ", line)
        ]
    return found


@pytest.mark.parametrize(("page", "line"), _commands())
def test_every_command_that_is_shown_exists_with_its_options(page, line):
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "…"]
    command = get_command(app)
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name == "COMMAND":
            return
        assert name in command.commands, f"{page}: {line}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    known |= {"--help", "--debug"}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_documents_parses(page):
    for block in _blocks(page, "python"):
        indent = min((len(line) - len(line.lstrip()) for line in block.splitlines() if line.strip()), default=0)
        ast.parse("\n".join(line[indent:] for line in block.splitlines() if "--8<--" not in line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not re.match(r"\w+:", link)]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_make_target_that_is_shown_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for line in _lines(page):
            if line.startswith("make "):
                words = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
                assert set(words) <= targets, f"{page.name}: {line}"


def test_the_loss_that_contributing_shows_is_a_loss():
    import torch

    from openclap.losses.base import losses
    from openclap.types import ClapOutput

    (code,) = [block for block in _blocks(ROOT / "CONTRIBUTING.md", "python") if "losses.register" in block]
    losses.names()
    scope: dict[str, object] = {}
    try:
        exec(code, scope)
        loss = losses.get("hinge")
    finally:
        losses._entries.pop("hinge", None)  # other tests sweep the registry
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    apart, alike = torch.eye(3), torch.ones(3, 3) / 3**0.5
    assert float(loss(ClapOutput(apart, apart, one, zero), torch.arange(3))) == 0.0
    assert float(loss(ClapOutput(alike, alike, one, zero), torch.arange(3))) == pytest.approx(0.2)  # the margin


def test_continuous_integration_runs_what_a_developer_runs():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make (.+)$", script, re.MULTILINE) == ["lint type test"]
