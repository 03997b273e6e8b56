"""The strict, frozen base of every config, and how a tree of them is read, overridden, written and hashed.

A config's fields stand beside the code that reads them. Recipes in Python, a YAML file and `--set optim.lr=1e-4` are
three writings of one tree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from openclap.errors import ConfigError, did_you_mean


class Config(BaseModel):
    """Base of every config: frozen, strict about keys, with units in the names of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def read(cls, values: Mapping[str, Any], *, origin: str = "config") -> Self:
        """A config from plain values.

        Raises:
            ConfigError: for an unknown key (with the nearest valid one) or a bad value, with its dotted path.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_explain(error, cls, origin)) from error

    @classmethod
    def read_yaml(cls, path: str | Path) -> Self:
        """A config from a YAML (or JSON) file."""
        return cls.read(load_yaml(path), origin=str(path))

    def override(self, settings: Iterable[str]) -> Self:
        """This config with `dotted.key=value` settings laid over it; values are YAML (`1e-4`, `true`, `[1, 2]`)."""
        tree = self.plain()
        for setting in settings:
            path, equals, text = setting.partition("=")
            if not equals or not path:
                raise ConfigError(f"--set takes KEY=VALUE, as in optim.lr=1e-4, but got {setting!r}")
            _place(tree, path.split("."), setting_value(text), path)
        return type(self).read(tree, origin="--set")

    def plain(self) -> dict[str, Any]:
        """This config as JSON-ready plain values."""
        return self.model_dump(mode="json")

    def yaml(self) -> str:
        """This config as YAML text, in the order of its fields."""
        return yaml.safe_dump(self.plain(), sort_keys=False, allow_unicode=True, width=120)

    def digest(self) -> str:
        """SHA-256 over the canonical JSON of this config, as hex: equal trees have equal digests."""
        return digest(self.plain())


def digest(values: Any) -> str:
    """SHA-256 hex over the canonical JSON of plain values."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()  # file names need not be Unicode


def setting_value(text: str) -> Any:
    """The value in a `--set KEY=VALUE`: YAML, and `1e-4` is a number.

    Raises:
        ConfigError: if it is not YAML.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set value {text!r} is not YAML ({error})") from error
    if isinstance(value, str):  # YAML 1.1 reads 1e-4 as a string: the field's users write it as a number
        try:
            return float(value)
        except ValueError:
            return value
    return value


def load_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: if the file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds a {type(values).__name__}, but a config is a mapping of keys to values")
    return values


def _place(tree: dict[str, Any], keys: list[str], value: Any, path: str) -> None:
    for position, key in enumerate(keys[:-1]):
        if key not in tree:
            raise ConfigError(f"--set {path}: there is no {'.'.join(keys[: position + 1])!r}{did_you_mean(key, tree)}")
        if tree[key] is None:
            tree[key] = {}
        if not isinstance(tree[key], dict):
            raise ConfigError(f"--set {path}: {'.'.join(keys[: position + 1])!r} is a value, not a group of settings")
        tree = tree[key]
    tree[keys[-1]] = value


def _explain(error: ValidationError, root: type[BaseModel], origin: str) -> str:
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"]) or "(the whole)"
        if item["type"] == "extra_forbidden":
            owner = _owner(root, item["loc"][:-1])
            known = list(owner.model_fields) if owner else []
            lines.append(f"{path} is not a setting{did_you_mean(str(item['loc'][-1]), known)}")
        else:
            whole_group = item["type"] == "missing" or isinstance(item["input"], dict)  # too long to be of use
            given = "" if whole_group else f" (given: {item['input']!r})"
            lines.append(f"{path}: {item['msg'].removeprefix('Value error, ')}{given}")
    return f"{origin}: " + "\n  ".join(lines)


def _owner(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The config class at a dotted place in the tree, looking through optionals."""
    for key in path:
        field = model.model_fields.get(str(key))
        if field is None:
            return None
        choices = [field.annotation, *get_args(field.annotation)]
        found = [c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)]
        if not found:
            return None
        model = found[0]
    return model
