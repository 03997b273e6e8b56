"""Prompts as versioned files, and the messages made of one prompt and one clip.

What is said of a clip comes from strangers: titles, tags, file names. It is handed to the model as *one JSON object in
the user's message*, never inside the instructions: quotes and line ends cannot leave their strings, and `<` and `[` are
written as JSON escapes, so that no text can spell the marks of a chat template (`<|im_end|>`, `[INST]`, `</s>`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from openclap.config import Config, digest
from openclap.errors import ConfigError, UnknownNameError

_FIELDS = ("count", "min_words", "max_words", "language")


class _PromptFile(Config):
    """The keys of a prompt file."""

    name: str
    version: int
    purpose: str
    origin: str = ""
    system: str


@dataclass(frozen=True)
class Prompt:
    """What a model is told to do with a clip.

    Attributes:
        name: of the file, with its version: "enrich-1".
        purpose: when to take it.
        system: the instructions, with $count, $min_words, $max_words and $language to fill in.
        digest: twelve hex digits of the text: two prompts with one name and another text are told apart.
    """

    name: str
    purpose: str
    system: str

    @property
    def digest(self) -> str:
        """Twelve hex digits of the instructions."""
        return digest(self.system)[:12]

    def messages(self, clip: Mapping[str, Any], **fields: Any) -> list[dict[str, str]]:
        """The chat messages that ask for captions of one clip.

        Args:
            clip: what is known of it, as plain values.
            fields: values for the instructions' fields.
        """
        instructions = Template(self.system).substitute(fields)
        return [{"role": "system", "content": instructions}, {"role": "user", "content": as_data(clip)}]


def load_prompt(name: str) -> Prompt:
    """A prompt by the name of a packaged file ("enrich-1"), or by the path of a .toml file.

    Raises:
        UnknownNameError: if there is no such prompt; says which there are.
        ConfigError: if the file is not a prompt.
    """
    if name.endswith(".toml"):
        path = Path(name)
        try:
            return _parse(path.read_text(encoding="utf-8"), name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"prompt {name}: cannot be read ({error})") from error
    known = {file.name.removesuffix(".toml"): file for file in _packaged().iterdir() if file.name.endswith(".toml")}
    if name not in known:
        raise UnknownNameError("prompt", name, known)
    return _parse(known[name].read_text(encoding="utf-8"), name)


def prompt_names() -> list[str]:
    """Names of the packaged prompts."""
    return sorted(file.name.removesuffix(".toml") for file in _packaged().iterdir() if file.name.endswith(".toml"))


def as_data(values: Mapping[str, Any]) -> str:
    """One line of JSON in which no text can end its string, or spell a mark of a chat template."""
    text = json.dumps(values, ensure_ascii=False)
    text = text.encode(errors="backslashreplace").decode()  # half a character, as in broken file names, is no UTF-8
    return _STRING.sub(lambda string: string.group().replace("<", "\\u003c").replace("[", "\\u005b"), text)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def _packaged() -> Any:
    return resources.files("openclap.captions") / "prompts"


def _parse(text: str, origin: str) -> Prompt:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"prompt {origin}: is not TOML ({error})") from error
    file = _PromptFile.read(values, origin=f"prompt {origin}")
    fields = set(Template(file.system).get_identifiers())
    if not Template(file.system).is_valid() or fields - set(_FIELDS):
        known = ", ".join(f"${field}" for field in _FIELDS)
        raise ConfigError(f"prompt {origin}: `system` may hold {known}, and $$ for a dollar; found {sorted(fields)}")
    return Prompt(f"{file.name}-{file.version}", file.purpose, file.system.strip())
