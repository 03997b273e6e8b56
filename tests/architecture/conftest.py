"""The source tree as the architecture tests read it: modules, and what each of them imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "openclap"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path

    @property
    def name(self) -> str:
        """Dotted name: "openclap.audio.mel"."""
        parts = self.path.relative_to(SOURCE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The package or ground-floor module that holds it: "audio", "errors", "" for openclap itself."""
        return _room(self.name)

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of everything imported anywhere in it, inside functions and by name included."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                found.update(f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and _called(node) in {"import_module", "require", "__import__"}:
                found.update(str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))
        return frozenset(found)

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that it imports from, its own left out."""
        rooms = {_room(name) for name in self.imports if name == "openclap" or name.startswith("openclap.")}
        return frozenset(rooms - {self.room})

    def uses(self, package: str) -> bool:
        """Whether it imports `package` or something inside it."""
        return any(name == package or name.startswith(f"{package}.") for name in self.imports)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        if self.path.name != "__init__.py":
            package = package[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, node.module] if node.module else base)


def _called(node: ast.Call) -> str:
    function = node.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _room(name: str) -> str:
    parts = name.split(".")
    room = parts[1] if len(parts) > 1 else ""
    if room == "__main__":
        return "cli"  # python -m openclap is the command line
    # `from openclap import load` names what openclap itself offers, not a room.
    return room if (SOURCE / room).is_dir() or (SOURCE / f"{room}.py").exists() else ""


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """Every module of the package."""
    return [Module(path) for path in sorted(SOURCE.rglob("*.py"))]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the checkout."""
    return ROOT
