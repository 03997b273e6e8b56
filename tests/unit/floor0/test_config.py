"""A config tree reads, overrides, prints and hashes the same, and refuses what it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, model_validator

from openclap.config import Config, digest, load_yaml
from openclap.errors import ConfigError


class Optim(Config):
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


class Run(Config):
    name: str
    optim: Optim = Optim()
    extra: Optim | None = None
    options: dict[str, float] = Field(default_factory=dict)


def test_a_tree_round_trips_through_yaml(tmp_path: Path) -> None:
    run = Run(name="a", optim=Optim(lr=2e-4), extra=Optim(), options={"x": 1.5})
    path = tmp_path / "run.yaml"
    path.write_text(run.yaml(), encoding="utf-8")
    assert Run.read_yaml(path) == run


def test_equal_trees_have_equal_digests_and_changed_ones_do_not() -> None:
    assert Run(name="a").digest() == Run.read({"name": "a", "optim": {"lr": 0.001}}).digest()
    assert Run(name="a").digest() != Run(name="b").digest()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("setting", "value"),
    [("optim.lr=1e-4", 1e-4), ("optim.lr=.5", 0.5), ("optim.lr=3", 3.0), ("optim.lr=2E-3", 2e-3)],
)
def test_settings_are_read_as_the_numbers_that_people_write(setting: str, value: float) -> None:
    assert Run(name="a").override([setting]).optim.lr == value


def test_settings_reach_lists_dictionaries_and_absent_groups() -> None:
    run = Run(name="a").override(["optim.betas=[0.8, 0.9]", "options.x=2", "extra.lr=0.1", "name=null-ish"])
    assert run.optim.betas == (0.8, 0.9)
    assert run.options == {"x": 2.0}
    assert run.extra == Optim(lr=0.1)
    assert run.name == "null-ish"


def test_an_unknown_key_names_the_nearest_one_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"optim\.lrr is not a setting; did you mean 'lr'"):
        Run.read({"name": "a", "optim": {"lrr": 1}})
    with pytest.raises(ConfigError, match=r"there is no 'optom'; did you mean 'optim'"):
        Run(name="a").override(["optom.lr=1"])
    with pytest.raises(ConfigError, match=r"extra\.lrr is not a setting; did you mean 'lr'"):
        Run(name="a").override(["extra.lrr=1"])


def test_bad_values_and_settings_say_what_was_given() -> None:
    with pytest.raises(ConfigError, match=r"optim\.lr.*given: 'fast'"):
        Run(name="a").override(["optim.lr=fast"])
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        Run(name="a").override(["optim.lr"])
    with pytest.raises(ConfigError, match="is a value, not a group"):
        Run(name="a").override(["name.x=1"])
    with pytest.raises(ConfigError, match="finite"):
        Run(name="a").override(["optim.lr=.nan"])


def test_a_config_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Run(name="a").name = "b"


@pytest.mark.parametrize(("text", "message"), [("- 1", "is a mapping"), ("a: [", "is not YAML"), ("", "is a mapping")])
def test_a_file_that_is_no_config_says_so(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_yaml(tmp_path / "nowhere.yaml")


def test_a_digest_takes_file_names_that_are_no_unicode() -> None:
    assert digest({"path": "caf\udce9.wav"}) != digest({"path": "cafe.wav"})


def test_a_rule_over_a_group_does_not_print_the_whole_group() -> None:
    class Range(Config):
        low: int = 0
        high: int = 1

        @model_validator(mode="after")
        def _rises(self) -> Range:
            if self.low >= self.high:
                raise ValueError(f"low {self.low} must be below high {self.high}")
            return self

    with pytest.raises(ConfigError, match=r"low 3 must be below high 1$"):
        Range.read({"low": 3, "high": 1})
