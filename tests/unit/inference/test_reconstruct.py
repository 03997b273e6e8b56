"""What a masked autoencoder makes of a part of a clip."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.length import LengthConfig
from openclap.audio.mel import LogMel
from openclap.checkpoints.native import Bundle, BundleConfig, save_bundle
from openclap.cli.app import run
from openclap.errors import ConfigError
from openclap.inference.reconstruct import as_sound, reconstruct
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.mae_decoder import DecoderConfig
from openclap.models.masking import MaskingConfig
from openclap.types import Waveform

FRONTEND = FrontendConfig.read(
    {
        "window_s": 0.96,
        "mel": {
            "sample_rate_hz": 8000, "n_mels": 64, "n_fft": 512, "win_length": 400, "hop_length": 80, "frames": 96,
            "f_max_hz": 4000.0,
        },
    }
)  # fmt: skip
HALF = MaskingConfig(kind="1d", ratio=0.5)
CLIP = 0.3 * np.random.default_rng(0).normal(size=8000).astype(np.float32).clip(-3, 3)


def make_bundle(target: str = "normalised", *, with_decoder: bool = True) -> Bundle:
    decoder = DecoderConfig(dim=32, depth=1, heads=2, blocks="global", target=target) if with_decoder else None
    audio = EncoderConfig(name="vit-micro", options={"n_mels": 64})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Clap(ClapConfig(audio=audio, text=None, decoder=decoder)).eval()
    config = BundleConfig(name="tiny", model=model.resolved_config(), frontend=FRONTEND)
    return Bundle(model, Frontend(FRONTEND), None, config)


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "noise.wav", CLIP, 8000)
    return tmp_path / "noise.wav"


def test_what_is_visible_stays_and_what_is_masked_is_predicted(sound):
    found = reconstruct(make_bundle(), sound, HALF)
    assert found.features.shape == found.reconstruction.shape == (96, 64)
    assert found.removed.mean() == 0.5
    assert np.array_equal(found.features[~found.removed], found.reconstruction[~found.removed])
    assert not np.allclose(found.features[found.removed], found.reconstruction[found.removed])
    assert np.array_equal(np.isnan(found.masked), found.removed)


def test_a_normalised_prediction_gets_the_true_patches_mean_and_spread(sound):
    bundle = make_bundle()
    torch.nn.init.zeros_(bundle.model.decoder.predict.weight)  # predicts 0 everywhere: the mean of each patch
    found = reconstruct(bundle, sound, HALF)
    patch = (slice(0, 16), slice(0, 16))
    places = [(slice(t, t + 16), slice(m, m + 16)) for t in range(0, 96, 16) for m in range(0, 64, 16)]
    patch = next(place for place in places if found.removed[place].all())
    np.testing.assert_allclose(found.reconstruction[patch], found.features[patch].mean(), rtol=1e-5)
    assert found.error == pytest.approx(255 / 256, abs=1e-3)  # the unbiased variance of 256 values


def test_a_raw_prediction_is_taken_as_it_is(sound):
    bundle = make_bundle("raw")
    torch.nn.init.zeros_(bundle.model.decoder.predict.weight)
    found = reconstruct(bundle, sound, HALF)
    assert float(np.abs(found.reconstruction[found.removed]).max()) == 0.0


def test_the_error_is_that_of_what_was_masked_and_not_of_what_was_heard(sound):
    bundle = make_bundle("raw")
    torch.nn.init.zeros_(bundle.model.decoder.predict.weight)  # predicts 0 everywhere, in raw values
    found = reconstruct(bundle, sound, HALF)
    masked, heard = np.square(found.features[found.removed]).mean(), np.square(found.features[~found.removed]).mean()
    assert found.error == pytest.approx(masked, rel=1e-4)  # float32 sums in another order
    assert abs(heard / masked - 1) > 1e-3  # or this could not be told


def test_the_seed_chooses_the_mask(sound):
    bundle = make_bundle()
    first, same, other = (reconstruct(bundle, sound, HALF, seed=seed).removed for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def filled_up(bundle: Bundle) -> Bundle:
    """The bundle, with a front-end that adds frames of 0 to short clips, as AudioMAE's."""
    length = LengthConfig(short="zero-pad-features")
    frontend = bundle.config.frontend.model_copy(update={"length": length})
    return replace(
        bundle,
        frontend=Frontend(frontend),
        config=bundle.config.model_copy(update={"frontend": frontend}),
    )


def test_frames_that_were_added_to_a_short_clip_are_neither_shown_nor_judged():
    bundle = filled_up(make_bundle())
    torch.nn.init.zeros_(bundle.model.decoder.predict.weight)
    clip = Waveform(CLIP[:3200], 8000)  # 0.4 s of a window of 0.96 s
    found = reconstruct(bundle, clip, HALF)
    own = len(LogMel(FRONTEND.mel.model_copy(update={"frames": None}))(torch.from_numpy(CLIP[:3200])))
    assert own < 48
    assert len(found.features) == len(found.removed) == len(found.reconstruction) == own
    # The error of patches that are all added would be 0, since their values are their mean.
    assert found.error == pytest.approx(1.0, abs=0.01)
    assert as_sound(bundle, found.reconstruction).duration_s <= 0.42


def test_a_mask_that_spares_the_few_frames_of_a_short_clip_is_said():
    bundle = filled_up(make_bundle())
    clip = Waveform(CLIP[:800], 8000)
    one_token = MaskingConfig(kind="1d", ratio=0.04)  # of 24, of which the clip has 4
    with pytest.raises(ConfigError, match="no patch of <waveform> is masked, since it has only"):
        reconstruct(bundle, clip, one_token)


def test_what_cannot_be_reconstructed_is_said(sound):
    with pytest.raises(ConfigError, match="'tiny' has no decoder"):
        reconstruct(make_bundle(with_decoder=False), sound, HALF)
    with pytest.raises(ConfigError, match="nothing is masked"):
        reconstruct(make_bundle(), sound, MaskingConfig())


def test_features_become_a_sound_of_their_length():
    bundle = make_bundle()
    features = bundle.frontend(bundle.frontend.batch([bundle.frontend.fit(CLIP)]))[0, 0].numpy()
    waveform = as_sound(bundle, features)
    assert waveform.sample_rate_hz == 8000
    assert waveform.duration_s == pytest.approx(0.96, abs=0.02)  # a frame's length


@pytest.mark.parametrize("kind", ["1d", "2d", "block", "energy"])
def test_the_command_draws_a_picture_and_writes_a_sound(kind, sound, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    save_bundle(make_bundle(), tmp_path / "model")
    files = [tmp_path / "picture.png", tmp_path / "sound.wav"]
    arguments = ["reconstruct", str(tmp_path / "model"), str(sound), "--out", str(files[0]), "--sound", str(files[1])]
    assert run([*arguments, "--kind", kind, "--ratio", "0.5", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["masked"] >= 0.5
    assert np.isfinite(printed["error"])
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert soundfile.info(files[1]).samplerate == 8000


@pytest.mark.parametrize("ratio", ["0", "1", "1.5"])
def test_the_command_refuses_a_ratio_that_leaves_nothing_to_do(ratio, sound, tmp_path, capsys):
    save_bundle(make_bundle(), tmp_path / "model")
    arguments = ["reconstruct", str(tmp_path / "model"), str(sound), "--out", str(tmp_path / "picture.png")]
    for kind in ("1d", "2d"):
        assert run([*arguments, "--kind", kind, "--ratio", ratio]) == 2
    assert "_ratio" not in capsys.readouterr().err  # no setting that the command does not have


def test_the_command_names_its_own_option_where_2d_leaves_no_row(sound, tmp_path, capsys):
    save_bundle(make_bundle(), tmp_path / "model")
    arguments = ["reconstruct", str(tmp_path / "model"), str(sound), "--out", str(tmp_path / "picture.png")]
    assert run([*arguments, "--kind", "2d", "--ratio", "0.99"]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "0 of 4 mel rows" in printed
    assert "lower --ratio" in printed
    assert "masking." not in printed


def test_the_command_writes_over_nothing_that_it_reads_and_says_what_is_wrong_with_a_place_at_once(
    sound, tmp_path, capsys
):
    before = sound.read_bytes()
    (tmp_path / "folder.png").mkdir()
    good = ["--out", str(tmp_path / "picture.png")]
    for options, message in [
        (["--out", str(sound)], "the picture is a PNG file: give a name that ends in .png"),
        ([*good, "--sound", str(sound)], "would be lost"),
        ([*good, "--sound", str(tmp_path / "picture.png")], "the sound is a WAV file: give a name that ends in .wav"),
        (["--out", str(tmp_path / "folder.png")], "is a folder"),
        ([*good, "--sound", str(sound / "in" / "it.wav")], "is a file, and not a folder"),
    ]:
        assert run(["reconstruct", str(tmp_path / "no-model"), str(sound), *options]) == 2  # before it looks for one
        assert message in " ".join(capsys.readouterr().err.split())
    assert sound.read_bytes() == before
    assert not (tmp_path / "picture.png").exists()


def test_the_command_makes_the_folders_of_its_files(sound, tmp_path):
    pytest.importorskip("matplotlib")
    save_bundle(make_bundle(), tmp_path / "model")
    files = [tmp_path / "pictures" / "one.png", tmp_path / "sounds" / "one.wav"]
    arguments = ["reconstruct", str(tmp_path / "model"), str(sound), "--out", str(files[0]), "--sound", str(files[1])]
    assert run(arguments) == 0
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("option", ["--device=tpu", "--seed=-1", "--seed=99999999999999999999999"])
def test_the_command_refuses_what_is_no_device_and_no_seed(option, sound, tmp_path):
    save_bundle(make_bundle(), tmp_path / "model")
    assert run(["reconstruct", str(tmp_path / "model"), str(sound), "--out", str(tmp_path / "p.png"), option]) == 2
