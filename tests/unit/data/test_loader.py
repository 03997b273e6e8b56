"""What a step holds depends on data, config, seed and step alone; bad clips are counted, up to a ceiling."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from openclap.audio.frontend import Frontend
from openclap.audio.length import LengthConfig
from openclap.data import reading
from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.loader import DataConfig, PairLoader, SourceConfig, read_source
from openclap.data.reading import AudioReader, ClipRequest, read_batches
from openclap.errors import DataError, ManifestError, TooManyBadSamplesError
from openclap.text.tokenizer import Tokenizer
from openclap.types import PairBatch

Make = Callable[..., PairLoader]


@pytest.fixture
def loader(frontend: Frontend, tokenizer: Tokenizer) -> Make:
    def make(examples: Iterable[Example], seed: int = 0, **settings: Any) -> PairLoader:
        values = {"train": {"path": "unused"}, "batch_size": 4, "workers": 0} | settings
        return PairLoader(list(examples), frontend, tokenizer, DataConfig.read(values), seed)

    return make


def content(batch: PairBatch) -> tuple[Any, ...]:
    tensors = [batch.audio.waveforms, batch.audio.is_longer, batch.text.input_ids, batch.caption_group]
    if batch.audio.ready is not None:
        tensors += [batch.audio.ready.rows, batch.audio.ready.features]
    return batch.ids, *(tensor.numpy().tobytes() for tensor in tensors)


def contents(loader: PairLoader, start: int, stop: int) -> list[tuple[Any, ...]]:
    return [content(batch) for batch in loader.iterate(start, stop)]


def test_a_batch_pairs_each_clip_with_one_of_its_own_captions(
    clips: Callable[[int], list[Example]], loader: Make, tokenizer: Tokenizer
) -> None:
    examples = {example.id: example for example in clips(6)}
    (batch,) = loader(examples.values()).iterate(0, 1)
    assert len(batch) == 4
    assert batch.audio.waveforms.shape == (4, 800)
    assert batch.text.input_ids.dtype == torch.int64
    for row, own in enumerate(batch.ids):
        length = int(batch.text.attention_mask[row].sum())
        ids = batch.text.input_ids[row, :length].tolist()
        assert ids in [tokenizer([caption]).input_ids[0].tolist() for caption in examples[own].captions]


def test_workers_caches_and_resuming_change_nothing(clips: Callable[[int], list[Example]], loader: Make) -> None:
    examples = clips(10)
    expected = contents(loader(examples), 0, 7)  # three epochs and a half of two steps
    assert contents(loader(examples), 5, 7) == expected[5:]
    assert contents(loader(examples, cache_bytes=1_000_000), 0, 7) == expected
    assert contents(loader(examples, cache_bytes=10_000), 0, 7) == expected  # room for some clips only
    assert contents(loader(examples, workers=1), 3, 7) == expected[3:]
    shared = loader(examples, workers=2, cache_bytes=1_000_000)
    assert contents(shared, 0, 7) == expected
    assert contents(shared, 0, 7) == expected  # now from memory


def test_workers_caches_and_resuming_change_no_features(clips: Callable[[int], list[Example]], loader: Make) -> None:
    examples = clips(10)
    settings = {"reads": "features", "augment": {"roll": True, "gain": True}}
    expected = contents(loader(examples, **settings), 0, 7)
    assert len({features for *_, features in expected}) == 7
    assert contents(loader(examples, **settings), 5, 7) == expected[5:]
    assert contents(loader(examples, **settings, cache_bytes=1_000_000), 0, 7) == expected
    assert contents(loader(examples, **settings, cache_bytes=1_000), 0, 7) == expected  # room for some clips only
    shared = loader(examples, **settings, workers=2, cache_bytes=1_000_000)
    assert contents(shared, 0, 7) == expected
    assert contents(shared, 0, 7) == expected  # now from memory


def test_features_that_are_read_are_those_of_the_waveforms_that_are(
    clips: Callable[[int], list[Example]], loader: Make, frontend: Frontend
) -> None:
    examples = [example for number, example in enumerate(clips(12)) if number % 3 == 0]  # none longer than the window
    (waveforms,) = loader(examples).iterate(0, 1)
    (features,) = loader(examples, reads="features").iterate(0, 1)
    assert features.ids == waveforms.ids
    assert features.audio.waveforms.shape == (4, 0)
    assert torch.equal(frontend(features.audio), frontend(waveforms.audio))


class TestFusion:
    @pytest.fixture
    def fused(self, fused_frontend: Frontend, tokenizer: Tokenizer) -> Make:
        def make(examples: Iterable[Example], seed: int = 0, **settings: Any) -> PairLoader:
            values = {"train": {"path": "unused"}, "batch_size": 4, "workers": 0} | settings
            return PairLoader(list(examples), fused_frontend, tokenizer, DataConfig.read(values), seed)

        return make

    def test_batches_mix_short_and_long_clips(
        self, clips: Callable[[int], list[Example]], fused: Make, fused_frontend: Frontend
    ) -> None:
        lengths_s = {example.id: [0.05, 0.2, 0.4][n % 3] for n, example in enumerate(clips(6))}
        for batch in fused(clips(6)).iterate(0, 4):
            longer = [lengths_s[name] > 0.1 for name in batch.ids]
            assert batch.audio.is_longer.tolist() == longer
            assert batch.audio.ready is not None
            assert batch.audio.ready.rows.tolist() == [row for row, is_longer in enumerate(longer) if is_longer]
            features = fused_frontend(batch.to("cpu").audio)
            same = [bool((clip == clip[:1]).all()) for clip in features]
            assert same == [not is_longer for is_longer in longer]

    def test_workers_caches_and_resuming_change_no_view(
        self, clips: Callable[[int], list[Example]], fused: Make
    ) -> None:
        examples = clips(10)
        expected = contents(fused(examples), 0, 5)
        assert contents(fused(examples), 3, 5) == expected[3:]
        assert contents(fused(examples, cache_bytes=1_000_000), 0, 5) == expected
        shared = fused(examples, workers=2, cache_bytes=20_000)  # room for some clips only
        assert contents(shared, 0, 5) == expected
        assert contents(shared, 0, 5) == expected

    def test_places_are_drawn_anew_in_each_epoch_and_without_random_crops_never(
        self, clips: Callable[[int], list[Example]], fused: Make
    ) -> None:
        (long,) = (example for example in clips(3) if example.id == "2.wav")
        pair = [long, replace(long, id="again", start_s=0.001)]

        def epochs(**settings: Any) -> list[bytes]:
            views = []
            for batch in fused(pair, **settings).iterate(0, 4):
                assert batch.audio.ready is not None
                views.append(batch.audio.ready.features[batch.ids.index("2.wav")].numpy().tobytes())
            return views

        assert len(set(epochs())) == 4
        assert len(set(epochs(random_crop=False))) == 1


def test_random_crops_differ_between_epochs_and_without_them_nothing_does(
    clips: Callable[[int], list[Example]], loader: Make
) -> None:
    (long,) = (example for example in clips(3) if example.id == "2.wav")
    pair = [long, replace(long, id="again", start_s=0.001)]

    def epochs(**settings: Any) -> list[bytes]:
        batches = loader(pair, **settings).iterate(0, 4)
        return [batch.audio.waveforms[batch.ids.index("2.wav")].numpy().tobytes() for batch in batches]

    assert len(set(epochs())) == 4
    assert len(set(epochs(random_crop=False))) == 1


def test_the_global_generator_is_neither_used_nor_seeded(clips: Callable[[int], list[Example]], loader: Make) -> None:
    before = torch.random.get_rng_state()
    for workers in (0, 1):
        contents(loader(clips(4), workers=workers), 0, 2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_clips_with_the_same_caption_share_a_group(clips: Callable[[int], list[Example]], loader: Make) -> None:
    texts = ["rain", "Rain ", "wind", "rain"]
    examples = [replace(e, captions=(text,), labels=()) for e, text in zip(clips(4), texts, strict=True)]
    (batch,) = loader(examples).iterate(0, 1)
    groups = dict(zip(batch.ids, batch.caption_group.tolist(), strict=True))
    assert groups["0.wav"] == groups["1.wav"] == groups["3.wav"] != groups["2.wav"]


def test_fewer_clips_than_a_batch_or_than_workers_neither_hang_nor_fail(
    clips: Callable[[int], list[Example]], loader: Make
) -> None:
    small = loader(clips(2), batch_size=64, workers=3)
    assert (small.steps_per_epoch, small.batch_size) == (1, 2)
    assert [sorted(batch.ids) for batch in small.iterate(0, 2)] == [["0.wav", "1.wav"]] * 2
    assert list(small.iterate(3, 3)) == []


def test_leaving_in_the_middle_leaves_nothing_behind(clips: Callable[[int], list[Example]], loader: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches = loader(clips(8), workers=2).iterate(0, 1000)
        next(batches)
        batches.close()  # type: ignore[attr-defined]


class TestBadClips:
    @pytest.fixture
    def examples(self, clips: Callable[[int], list[Example]]) -> list[Example]:
        """Twelve clips, of which two cannot be read."""
        examples = clips(12)
        examples[3].audio.write_bytes(b"this is no sound")
        examples[7].audio.unlink()
        return examples

    @pytest.mark.parametrize("workers", [0, 2])
    def test_are_left_out_of_their_batch_and_noted_once(
        self, examples: list[Example], loader: Make, workers: int
    ) -> None:
        bad = loader(examples, workers=workers)
        batches = list(bad.iterate(0, 6))  # two epochs
        assert sum(len(batch) for batch in batches) == 20
        assert all(len(batch) == len(batch.ids) == len(batch.text) == len(batch.caption_group) for batch in batches)
        assert {(b.id, b.error) for b in bad.bad} == {("3.wav", "AudioDecodeError"), ("7.wav", "AudioNotFoundError")}
        assert len(bad.bad) == 2

    def test_stop_training_at_the_first_if_none_is_allowed(self, examples: list[Example], loader: Make) -> None:
        with pytest.raises(TooManyBadSamplesError, match=r"1 of 12 clips failed .* allows 0(?s:.*)Error"):
            list(loader(examples, max_bad_fraction=0.0).iterate(0, 3))

    def test_stop_training_above_the_ceiling_with_the_first_reasons(
        self, clips: Callable[[int], list[Example]], loader: Make
    ) -> None:
        examples = clips(20)
        for example in examples[:8]:
            example.audio.write_bytes(example.id.encode())
        with pytest.raises(TooManyBadSamplesError, match=r"max_bad_fraction 0.01 allows 5") as caught:
            list(loader(examples).iterate(0, 5))
        assert str(caught.value).count(".wav: ") == 5

    def test_stop_training_when_a_whole_step_is_bad(self, clips: Callable[[int], list[Example]], loader: Make) -> None:
        examples = clips(2)
        for example in examples:
            example.audio.write_bytes(example.id.encode())
        with pytest.raises(TooManyBadSamplesError, match=r"2 of 2 clips failed to load, .* allows 1"):
            list(loader(examples).iterate(0, 1))
        with pytest.raises(TooManyBadSamplesError, match="every clip of step 0 failed to load"):
            list(loader(examples, max_bad_fraction=1.0).iterate(0, 1))


def test_clips_without_text_are_refused_before_training(clips: Callable[[int], list[Example]], loader: Make) -> None:
    examples = [replace(e, captions=(), labels=(), extra={"kapsion": "x"}) for e in clips(3)]
    with pytest.raises(DataError, match=r"3 of 3 clips have neither .* \(there are also: kapsion\)"):
        loader(examples)


def test_sources_are_read_with_their_filter(tmp_path: Path, noise: Callable[..., Path]) -> None:
    noise(tmp_path / "a.wav", seed=0)
    (tmp_path / "m.csv").write_text("path,caption,split\na.wav,x,train\n")
    source = SourceConfig(path=str(tmp_path / "m.csv"), where={"split": "train"})
    assert len(read_source(source)) == 1
    with pytest.raises(ManifestError):
        read_source(source.model_copy(update={"where": {"split": "test"}}))


class _Stubborn(Exception):
    """An error that does not come back from its pickle: it takes more than its message."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


class _Broken(AudioReader):
    def __init__(self, frontend: Frontend, error: str) -> None:
        super().__init__(frontend)
        self._error = error

    def read(self, clips: list[ClipRequest]) -> Any:
        raise _Stubborn("lost", "words") if self._error == "stubborn" else ManifestError("m.csv", "is odd", 3)


class TestWorkers:
    def test_keep_the_type_of_an_error_and_say_where_it_came_from(self, frontend: Frontend) -> None:
        with pytest.raises(ManifestError, match=r"m\.csv:3: is odd") as caught:
            list(read_batches(_Broken(frontend, "manifest"), [[], []], workers=1))
        assert caught.value.line == 3
        assert "in read\n" in caught.value.__notes__[0]

    def test_tell_an_error_that_cannot_travel(self, frontend: Frontend) -> None:
        with pytest.raises(RuntimeError, match="_Stubborn: lost"):
            list(read_batches(_Broken(frontend, "stubborn"), [[]], workers=1))


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """150 s in which each sample says where it is."""
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.linspace(-1, 1, 150 * 8000, endpoint=False), 8000, subtype="FLOAT")
    return path


class TestLongFiles:
    """A clip over a minute, in a file of over 2 MB, is not decoded whole."""

    def place_s(self, samples: torch.Tensor) -> float:
        return (float(samples[0]) + 1) / 2 * 150

    def read(self, frontend: Frontend, request: ClipRequest) -> torch.Tensor:
        read = AudioReader(frontend).read([request])
        assert read.audio is not None
        assert read.audio.is_longer.tolist() == [True]
        return read.audio.waveforms[0]

    def test_crops_come_from_everywhere_in_the_range(self, ramp: Path, frontend: Frontend) -> None:
        places = [self.place_s(self.read(frontend, ClipRequest(0, ramp, 20.0, 100.0, seed))) for seed in range(60)]
        assert 20.0 <= min(places) < 35.0  # 60 draws all above 35 s have a chance of 0.85^60 = 6e-5
        assert 105.0 < max(places) <= 119.9
        assert len(set(places)) == 60

    def test_without_a_seed_the_crop_is_the_config_s(self, ramp: Path, frontend: Frontend) -> None:
        assert self.place_s(self.read(frontend, ClipRequest(0, ramp, 30.0, None, None))) == pytest.approx(
            30.0, abs=1e-3
        )

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float | None]]:
        """Where each reading began, and how much of the sound it asked for."""
        found: list[tuple[float, float | None]] = []
        decode = Frontend.read

        def read(self: Frontend, source: Any, **given: Any) -> Any:
            found.append((given["start_s"], given["duration_s"]))
            return decode(self, source, **given)

        monkeypatch.setattr(Frontend, "read", read)
        return found

    def test_only_the_part_is_read(self, ramp: Path, frontend: Frontend, asked: list[Any]) -> None:
        self.read(frontend, ClipRequest(0, ramp, 0.0, None, 1))
        assert [duration_s for _, duration_s in asked] == [pytest.approx(0.15)]

    def test_with_fusion_all_of_it_is_heard(self, ramp: Path, fused_frontend: Frontend, asked: list[Any]) -> None:
        self.read(fused_frontend, ClipRequest(0, ramp, 0.0, None, 1))
        assert asked == [(0.0, None)]

    def test_with_fusion_a_part_is_heard_of_what_is_longer_than_is_fused_at_once(
        self, ramp: Path, fused_frontend: Frontend, asked: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "_LONG_FUSED_S", 40.0)
        for seed in range(40):
            self.read(fused_frontend, ClipRequest(0, ramp, 10.0, None, seed))
        starts, durations = zip(*asked, strict=True)
        assert set(durations) == {40.0}
        assert 10.0 <= min(starts) < 30.0  # 40 draws all above the first fifth have a chance of 0.8^40 = 1e-4
        assert 90.0 < max(starts) <= 110.0


@pytest.mark.parametrize("workers", [0, 2])
def test_clips_that_keep_their_length_come_with_it(
    clips: Callable[[int], list[Example]], tokenizer: Tokenizer, frontend: Frontend, workers: int
) -> None:
    config = frontend.config.model_copy(update={"window_s": 0.3, "length": LengthConfig(short="keep")})
    settings = DataConfig.read({"train": {"path": "unused"}, "batch_size": 6, "workers": workers})
    (batch,) = PairLoader(clips(6), Frontend(config), tokenizer, settings, seed=0).iterate(0, 1)
    seconds = {f"{n}.wav": [0.05, 0.2, 0.3][n % 3] for n in range(6)}  # the third of 0.4 s, cut to the window
    assert batch.audio.lengths is not None
    assert batch.audio.lengths.tolist() == [round(8000 * seconds[name]) for name in batch.ids]
    assert batch.audio.waveforms.shape == (6, 2400)
    assert batch.audio.frames is not None
    assert batch.audio.frames.tolist() == [config.mel.count_frames(n) for n in batch.audio.lengths.tolist()]


class TestMadeCaptionsAndNegatives:
    @pytest.fixture
    def examples(self, clips: Callable[[int], list[Example]]) -> list[Example]:
        """Eight clips with a made caption; every second has three negatives."""

        def rich(n: int, example: Example) -> Example:
            texts = [f"not noise {n} {k}" for k in range(3)] if n % 2 else []
            negatives = tuple(NegativeCaption(text, "order", example.captions[0], "negatives") for text in texts)
            return replace(example, made=(MadeCaption(f"made noise {n}", "k2c"),), negatives=negatives)

        return [rich(n, example) for n, example in enumerate(clips(8))]

    def test_batches_are_of_the_weighted_sources(
        self, examples: list[Example], loader: Make, tokenizer: Tokenizer
    ) -> None:
        made = {example.id: tokenizer([example.made[0].text]).input_ids[0].tolist() for example in examples}
        for batch in loader(examples, captions={"weights": {"k2c": 1}}).iterate(0, 4):
            for row, own in enumerate(batch.ids):
                length = int(batch.text.attention_mask[row].sum())
                assert batch.text.input_ids[row, :length].tolist() == made[own]

    def test_a_source_that_is_not_there_ends_the_run_before_it_begins(
        self, examples: list[Example], loader: Make
    ) -> None:
        with pytest.raises(DataError, match=r"'llm', but no clip .* there are original \(8 clips\), k2c"):
            loader(examples, captions={"weights": {"llm": 1}})

    def test_negatives_are_those_of_their_own_clip(
        self, examples: list[Example], loader: Make, tokenizer: Tokenizer
    ) -> None:
        own = {e.id: [tokenizer([n.text]).input_ids[0].tolist() for n in e.negatives] for e in examples}
        for batch in loader(examples, captions={"negatives": 2}).iterate(0, 4):
            counts = [0] * len(batch)
            negatives = batch.negatives
            assert negatives is not None
            for row, clip in enumerate(negatives.clip.tolist()):
                length = int(negatives.text.attention_mask[row].sum())
                assert negatives.text.input_ids[row, :length].tolist() in own[batch.ids[clip]]
                counts[clip] += 1
            assert counts == [2 if own[name] else 0 for name in batch.ids]

    def test_asking_for_negatives_changes_nothing_else_and_without_them_there_are_none(
        self, examples: list[Example], loader: Make
    ) -> None:
        plain = loader(examples).iterate(0, 4)
        for without, batch in zip(plain, loader(examples, captions={"negatives": 3}).iterate(0, 4), strict=True):
            assert content(batch) == content(without)
            assert without.negatives is None
        (batch,) = loader([e for e in examples if not e.negatives] + examples[1:2], captions={"negatives": 1}).iterate(
            0, 1
        )
        assert (batch.negatives is None) == (examples[1].id not in batch.ids)

    def test_negatives_are_drawn_anew_in_each_epoch_and_the_same_in_each_run(
        self, examples: list[Example], loader: Make
    ) -> None:
        def drawn(start: int) -> list[bytes]:
            batches = loader(examples, batch_size=8, captions={"negatives": 1}).iterate(start, 6)
            texts = [(batch.ids, batch.negatives.text.input_ids) for batch in batches]
            return [b"".join(ids[k].numpy().tobytes() for k in range(len(ids))) for _, ids in texts]

        assert drawn(0)[3:] == drawn(3)
        assert len(set(drawn(0))) > 1
