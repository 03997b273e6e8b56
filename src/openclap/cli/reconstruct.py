"""`openclap reconstruct`: what a model makes of a sound of which it hears only a part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.options import MOST, Device, Json, Model, device_name


def reconstruct(
    model: Model,
    clip: Annotated[Path, typer.Argument(help="A sound; its first window is taken.")],
    out: Annotated[Path, typer.Option("--out", help="The picture, a PNG file.")],
    ratio: Annotated[float, typer.Option("--ratio", help="The share of the patches that is masked.")] = 0.75,
    kind: Annotated[str, typer.Option("--kind", help="1d, 2d, block or energy: which patches are masked.")] = "1d",
    sound: Annotated[
        Path | None, typer.Option("--sound", help="Write the sound of the reconstruction, too; a WAV file, and rough.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MOST, help="Of the mask.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Draw a sound, what a model hears of it, and what it makes of the rest.

    For models with a decoder, which the objectives "mae" and "flap" with reconstruction train. Such a decoder mostly
    predicts patches without their mean and spread; those are then put in from the true patches, so that the picture
    flatters it. With 2d, times and mel rows are masked so that both together make the ratio.
    """
    import math

    from openclap.atomic import file_written_whole
    from openclap.checkpoints.load import load
    from openclap.cli.output import Output
    from openclap.cli.targets import file_target
    from openclap.errors import ConfigError
    from openclap.evaluation.pictures import draw_features
    from openclap.inference.reconstruct import as_sound
    from openclap.inference.reconstruct import reconstruct as reconstructed
    from openclap.models.masking import MaskingConfig

    output = Output(as_json)
    file_target(out, ".png", of="the picture", read=[clip])
    if sound is not None:
        file_target(sound, ".wav", of="the sound", option="--sound", read=[clip])
    shares: dict[str, object] = {"ratio": ratio}
    if kind == "2d" and 0 <= ratio < 1:
        each = 1 - math.sqrt(1 - ratio)
        shares = {"time_ratio": each, "mel_ratio": each}
    masking = MaskingConfig.read({"kind": kind, **shares}, origin="--kind, --ratio")
    bundle = load(model, device_name(device))
    trained = bundle.model.decoder
    if trained is not None and kind == "2d" and masking.kept_rows(trained.config.rows) == 0:
        raise ConfigError(
            f"--ratio {ratio:g} with --kind 2d keeps 0 of {trained.config.rows} mel rows, so that nothing is left to "
            "hear: lower --ratio, or take another --kind"
        )
    found = reconstructed(bundle, clip, masking, seed=seed)
    decoder = bundle.config.model.decoder
    borrowed = decoder is not None and decoder.target == "normalised"
    title = "reconstruction" + (" (each patch's mean and spread are the true ones)" if borrowed else "")
    masked_share = float(found.removed.mean())
    panels = [
        ("input", found.features),
        (f"what the model hears: {1 - masked_share:.0%}", found.masked),
        (title, found.reconstruction),
    ]
    mel = bundle.frontend.config.mel
    with file_written_whole(out) as fresh:
        draw_features(panels, len(found.features) * mel.hop_length / mel.sample_rate_hz, fresh)
    output.say("The picture is in ", (str(out), "bold"))
    output.say(f"Error over what was masked: {found.error:.3f}" + (", where 1 is knowing nothing" if borrowed else ""))
    if sound is not None:
        import soundfile

        waveform = as_sound(bundle, found.reconstruction)
        with file_written_whole(sound) as fresh:
            soundfile.write(fresh, waveform.samples, waveform.sample_rate_hz, format="WAV")
        output.say("A rough sound of it is in ", (str(sound), "bold"))
    output.result({"picture": out, "sound": sound, "masked": masked_share, "error": found.error})
