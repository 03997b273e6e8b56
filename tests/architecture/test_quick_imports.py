"""Nothing does work at import: what is heavy is loaded by the first call that needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "matplotlib", "pyarrow", "sklearn", "tensorboardX", "soundfile", "numpy")


def test_importing_openclap_loads_nothing_heavy():
    assert _loaded("import openclap; dir(openclap)") == []


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["embed", "--help"], ["--version"]])
def test_asking_the_command_line_for_help_loads_nothing_heavy(arguments):
    code = f"""
import contextlib, io, sys
from openclap.cli import main
sys.argv = {["openclap", *arguments]!r}
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
    assert _loaded(code) == []


def test_the_tokenizer_needs_no_transformers():
    assert "transformers" not in _loaded("import openclap.text.tokenizer")


def _loaded(code: str) -> list[str]:
    """The heavy packages that are loaded after `code` ran in a fresh interpreter."""
    report = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
