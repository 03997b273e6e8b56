"""What holds of every file: no machine's paths, no hosts, a docstring, a readable length, no print in the library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LONGEST = 500
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", ".ci", ".github")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    ".json",
    ".jsonl",
    ".csv",
    ".cff",
    ".cfg",
    ".html",
    ".css",
    ".js",
    "",
}

# In pieces, so that this file does not hold what it looks for.
_PLACES = "|".join(
    ("ho" + "me", "ro" + "ot", "wo" + "rk", "Us" + "ers", "t" + "mp", "o" + "pt", "m" + "nt", "sr" + "v")
)
ABSOLUTE_PATH = re.compile(rf"(?<![\w.*/:>~-])/(?:{_PLACES})/\w|\b[A-Z]:\\\\?\w+\\")
HOSTS = re.compile(
    "|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + "js", r"download\.py" + "torch", "deb" + r"ian\.org"))
)


def test_no_file_names_a_place_on_some_machine(project_root):
    assert not [hit for path in _text_files(project_root) for hit in _hits(path, ABSOLUTE_PATH)]


def test_no_file_names_a_package_registry(project_root):
    assert not [hit for path in _text_files(project_root) for hit in _hits(path, HOSTS)]


def test_every_module_says_what_it_is(modules):
    assert not [m.name for m in modules if not ast.get_docstring(m.tree)]


def test_every_module_postpones_annotations(modules):
    code = [m for m in modules if len(m.tree.body) > 1]
    assert not [m.name for m in code if "__future__.annotations" not in m.imports]


def test_no_file_is_too_long_to_read(project_root):
    files = [path for path in _text_files(project_root) if path.suffix == ".py"]
    assert not {str(path): n for path in files if (n := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST}


def test_only_the_command_line_prints(modules):
    printing = [
        f"{m.name}:{node.lineno}"
        for m in modules
        if m.room != "cli"
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


def test_nothing_global_is_seeded_or_silenced_by_the_library(modules):
    forbidden = (
        "torch.manual_seed",
        "np.random.seed",
        "numpy.random.seed",
        "random.seed",
        "warnings.filterwarnings",
        "warnings.simplefilter",
        "logging.basicConfig",
        "logging.disable",
    )
    called = [
        f"{m.name}:{node.lineno} {ast.unparse(node.func)}"
        for m in modules
        if m.room != "cli"
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden
    ]
    assert not called


def _text_files(root: Path) -> Iterator[Path]:
    tops = [path for path in root.iterdir() if path.is_file()]
    inner = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    for path in sorted([*tops, *inner]):
        if path.suffix in TEXT and "__pycache__" not in path.parts:
            yield path


def _hits(path: Path, pattern: re.Pattern[str]) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"{path.name}:{n}: {line.strip()[:120]}" for n, line in enumerate(lines, 1) if pattern.search(line)]
