"""Named training runs: a recipe is a function without arguments that gives a `RunConfig`, in a file of its own here.

The first line of its docstring is what `openclap recipes` says of it. Where the data lie is the caller's: a recipe's
`data` names the place that its own corpus is prepared to, and `with_data` puts another manifest in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from openclap.registry import Registry

if TYPE_CHECKING:
    from openclap.training.config import RunConfig

recipes: Registry[Callable[[], RunConfig]] = Registry("recipe", "openclap.recipes")
