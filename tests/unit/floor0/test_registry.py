"""A registry finds what the modules of its package register, and helps with wrong names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openclap.errors import UnknownNameError
from openclap.registry import Registry


def test_one_new_file_in_the_package_is_one_new_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sounds_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("from openclap.registry import Registry\nR = Registry('sound', __name__)\n")
    (package / "bell.py").write_text("from sounds_plugin import R\n\n@R.register('bell')\ndef bell(): return 'dong'\n")
    monkeypatch.syspath_prepend(tmp_path)
    import sounds_plugin

    assert sounds_plugin.R.names() == ["bell"]
    assert sounds_plugin.R.get("bell")() == "dong"
    for name in [n for n in sys.modules if n.startswith("sounds_plugin")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_name_is_taken_once_and_a_wrong_one_gets_the_nearest() -> None:
    registry: Registry[int] = Registry("number", "json")
    registry.add("seven", 7)
    with pytest.raises(ValueError, match="already registered"):
        registry.add("seven", 8)
    with pytest.raises(UnknownNameError, match=r"no number named 'sevn'; did you mean 'seven'"):
        registry.get("sevn")
