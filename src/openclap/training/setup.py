"""From a `RunConfig` to a `Trainer`: read the data, make or load the model, put the parts together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from openclap.audio.augment import AugmentConfig
from openclap.audio.frontend import Frontend
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, BundleConfig, check_parts
from openclap.checkpoints.pretrained_audio import load_audio, merge_audio, put_audio
from openclap.checkpoints.pretrained_text import load_text, put_text
from openclap.data.loader import PairLoader, read_source
from openclap.data.manifest import Manifest
from openclap.data.policy import training_texts
from openclap.errors import ConfigError
from openclap.models.clap import Clap, EncoderConfig
from openclap.text.tokenizer import Tokenizer
from openclap.training.config import RunConfig
from openclap.training.curves import Curves
from openclap.training.hooks import Hook, RunInfo
from openclap.training.log import JsonLog, TensorBoardLog
from openclap.training.objectives.base import build_objective
from openclap.training.optim import build_optimizer
from openclap.training.precision import resolve_device, resolve_precision
from openclap.training.provenance import data_digest, run_provenance
from openclap.training.randomness import seeded
from openclap.training.run_directory import RunDirectory
from openclap.training.step import TrainStep, validate
from openclap.training.text_cache import PooledTextCache
from openclap.training.trainer import Trainer

_FIRST_WEIGHTS = 1 << 32
"""The place, beyond any step, whose chance draws the first weights."""


def build_trainer(
    config: RunConfig,
    out: Path,
    *,
    hooks: Iterable[Hook] = (),
    evaluate: Callable[[Bundle], Mapping[str, float]] | None = None,
) -> Trainer:
    """A trainer that is ready to run; nothing is written before it does.

    Args:
        config: of the run.
        out: the run's directory.
        hooks: listeners besides the log, TensorBoard and the curves that `config.trainer` asks for.
        evaluate: further metrics of the bundle at each validation, by name; may be named by `trainer.best_metric`.

    Raises:
        ConfigError: if settings do not fit each other, or the device.
        ManifestError: if the data cannot be read.
        CheckpointError: if weights to start from cannot be read.
        MissingExtraError: if TensorBoard or curves are asked for without the extra `train`.
    """
    device = resolve_device(config.trainer.device)
    precision = resolve_precision(config.trainer.precision, device)
    train = read_source(config.data.train, config.data.columns)
    validation = None
    if config.data.validation is not None:
        validation = read_source(config.data.validation, config.data.columns)
    bundle = replace(build_bundle(config, train), provenance=run_provenance(config, train, validation))
    model, frontend = bundle.model.to(device), bundle.frontend.to(device)
    optimizer = build_optimizer(model, config.optim)
    objective = build_objective(config.objective)
    objective.check(model)
    room = config.trainer.text_cache_bytes
    step = TrainStep(
        model,
        frontend,
        objective,
        optimizer,
        config.optim,
        device=device,
        precision=precision,
        seed=config.seed,
        text_cache=PooledTextCache(model.text_encoder, room) if room else None,
    )
    tokenizer = bundle.tokenizer if objective.reads_text else None
    loader = PairLoader(train.examples, frontend, tokenizer, config.data, config.seed)
    steps_per_epoch = loader.steps_per_epoch / config.trainer.accumulate
    directory = RunDirectory(out, config, data_digest(train, validation))
    parameters = list(model.parameters())
    return Trainer(
        RunInfo(
            name=config.name,
            out=out,
            start_step=0,
            total_steps=config.trainer.total_steps(steps_per_epoch),
            clips_per_step=loader.batch_size * config.trainer.accumulate,
            steps_per_epoch=steps_per_epoch,
            parameters=sum(parameter.numel() for parameter in parameters),
            trainable_parameters=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            device=str(device),
            precision=precision,
            notices=tuple(_notices(config, bundle)) if objective.reads_text else (),
        ),
        config.trainer,
        config.schedule,
        bundle=bundle,
        optimizer=optimizer,
        step=step,
        validate=partial(validate, model, frontend, objective, device=device, precision=precision),
        train=loader,
        validation=None if validation is None else _validation_loader(validation, frontend, tokenizer, config),
        directory=directory,
        hooks=[*_own_hooks(config, directory), *hooks],
        evaluate=evaluate,
    )


def build_bundle(config: RunConfig, train: Manifest) -> Bundle:
    """The model that a run starts with, its front-end and its tokenizer, on the CPU.

    Args:
        config: of the run.
        train: whose captions the tokenizer is learnt from, unless a pretrained part brings one.

    Raises:
        ConfigError: if front-end, tokenizer and encoders do not fit each other.
        CheckpointError: if weights to start from cannot be read.
    """
    with seeded(torch.device("cpu"), config.seed, _FIRST_WEIGHTS):
        bundle = _from_bundle(config, config.init) if config.init is not None else _from_parts(config, train)
    check_parts(bundle)
    return bundle


def _from_parts(config: RunConfig, train: Manifest) -> Bundle:
    written = None if config.text_init is None else load_text(config.text_init, config.tokenizer)
    heard = None if config.audio_init is None else load_audio(config.audio_init)
    tokenizer: Tokenizer | None = None
    text = config.model.text
    if written is not None:
        tokenizer, text = written.tokenizer, written.encoder
    elif text is not None:
        captions = (caption for example in train.examples for caption in training_texts(example, config.data.captions))
        tokenizer = Tokenizer.train(captions, config.vocab_size, config.tokenizer)
        text = _with_vocabulary(text, tokenizer)
    audio = config.model.audio if heard is None else merge_audio(heard, config.model.audio)
    model = Clap(config.model.model_copy(update={"audio": audio, "text": text}))
    if written is not None:
        put_text(model, written)
    if heard is not None:
        put_audio(model, heard)
    return _bundle(config, model, tokenizer)


def _with_vocabulary(text: EncoderConfig, tokenizer: Tokenizer) -> EncoderConfig:
    """The text encoder with as many token ids as the tokenizer has, unless its options say a number themselves."""
    if text.name == "hf":  # its vocabulary is part of its architecture: a mismatch is reported, not mended
        return text
    return text.model_copy(update={"options": {"vocab_size": tokenizer.vocab_size, **text.options}})


def _from_bundle(config: RunConfig, init: str) -> Bundle:
    start = load(init)
    _check_same("frontend", config.frontend.plain(), start.config.frontend.plain(), init)
    ours, theirs = config.model.plain(), start.config.model.plain()
    if config.model.text is None:
        ours["embed_dim"] = theirs["embed_dim"]  # the encoder's, whatever the run says
    else:
        _check_same("tokenizer", config.tokenizer.plain(), start.config.tokenizer.plain(), init)
    for tower in ("audio", "text"):  # the bundle's options are complete; the run's are those that someone set
        if ours[tower] is not None and theirs[tower] is not None:
            given = ours[tower]["options"]
            theirs[tower]["options"] = {key: theirs[tower]["options"].get(key) for key in given}
    _check_same("model", ours, theirs, init)
    return _bundle(config, start.model, start.tokenizer)


def _check_same(part: str, ours: Mapping[str, object], theirs: Mapping[str, object], init: str) -> None:
    different = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    if different:
        key = different[0]
        raise ConfigError(
            f"{part}.{key} is {ours.get(key)!r}, but the model in init, {init}, was made with {theirs.get(key)!r}: "
            f"set {part} as in its config.json ({', '.join(different)} differ)"
        )


def _bundle(config: RunConfig, model: Clap, tokenizer: Tokenizer | None) -> Bundle:
    described = BundleConfig(
        name=config.name,
        model=model.resolved_config(),
        frontend=config.frontend,
        tokenizer=config.tokenizer if tokenizer is None else tokenizer.config,
    )
    return Bundle(model, Frontend(config.frontend), tokenizer, described)


def _notices(config: RunConfig, bundle: Bundle) -> Iterator[str]:
    """What is allowed, and hardly meant."""
    if config.objective.loss == "siglip" and bundle.config.model.init_logit_bias is None:
        wish = "set model.init_logit_bias to -10 and model.init_logit_scale to 2.303, as the paper does"
        yield (
            "the loss 'siglip' trains without a learnt bias, so that the many negatives dominate the first steps: "
            + (wish if config.init is None else "take infonce, since the model in init has none")
        )


def _validation_loader(
    validation: Manifest, frontend: Frontend, tokenizer: Tokenizer | None, config: RunConfig
) -> PairLoader:
    """The same batches at every validation, of clips cut where they are cut in use, with what people wrote of them."""
    examples = [replace(example, made=()) for example in validation.examples]
    captions = config.data.captions
    if not any(example.negatives for example in examples):
        captions = captions.model_copy(update={"negatives": 0})
    captions = captions.model_copy(update={"weights": {}})
    data = config.data.model_copy(update={"random_crop": False, "augment": AugmentConfig(), "captions": captions})
    return PairLoader(examples, frontend, tokenizer, data, config.seed)


def _own_hooks(config: RunConfig, directory: RunDirectory) -> list[Hook]:
    hooks: list[Hook] = [JsonLog(directory.log)]
    if config.trainer.tensorboard:
        hooks.append(TensorBoardLog(directory.out / "tensorboard"))
    if config.trainer.curves:
        hooks.append(Curves(directory.log, directory.out / "curves.png"))
    return hooks
