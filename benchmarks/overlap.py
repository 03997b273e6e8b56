"""How well is a recording known again, what does it cost, and does it hold at two million rows?

    python benchmarks/overlap.py known [--clips 200] [--split test]     recall by degradation, false alarms, scores
    python benchmarks/overlap.py ids [--rows 2000000]                   ids: seconds and peak memory
    python benchmarks/overlap.py content [--clips 10000] [--against 10000]  made-up fingerprints: the same, by the clip

`known` reads the real clips beside the checkout. Copies are made of clips: coded, resampled, louder and softer, cut at
both ends, with noise at 20 dB, and all of these at once; a copy is known if it finds its own clip with a score above
the threshold. False alarms are counted among all clips of `philharmonia` and `fsdd`, each of which is a take of its
own, beside every other clip. The threshold was chosen on the split "train"; the figures that count are of "test".
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from openclap.audio.decode import decode
from openclap.audio.resample import resample
from openclap.data.example import Example
from openclap.data.manifest import read_manifest
from openclap.data.overlap.agreement import agreement, can_tell
from openclap.data.overlap.find import find_overlap
from openclap.data.overlap.fingerprint import Fingerprint, fingerprint
from openclap.data.overlap.landmark_index import LandmarkIndex
from openclap.data.overlap.ledger import Ledger
from openclap.data.overlap.search import ClipSet, OverlapConfig
from openclap.data.overlap.store import FingerprintStore
from openclap.types import Waveform

STARTER = Path(__file__).resolve().parents[2] / "shared" / "data" / "starter" / "manifest.jsonl"
THRESHOLDS = (0.60, 0.62, 0.64, 0.66, 0.68, 0.70, 0.72)
OWN_TAKES = frozenset({"philharmonia", "fsdd"})
_MP3_RATES = frozenset({8000, 16000, 22050, 32000, 44100, 48000})


def coded(wave: Waveform, kind: str, subtype: str, quality: float | None = None) -> Waveform:
    file = io.BytesIO()
    options = {} if quality is None else {"compression_level": quality}
    soundfile.write(file, wave.samples.clip(-1, 1), wave.sample_rate_hz, format=kind, subtype=subtype, **options)
    return decode(file.getvalue(), allow_silent=True)


def vorbis(wave: Waveform, _: np.random.Generator) -> Waveform:
    return coded(wave, "OGG", "VORBIS", 0.7)


def mp3(wave: Waveform, _: np.random.Generator) -> Waveform:
    return coded(wave if wave.sample_rate_hz in _MP3_RATES else resample(wave, 44100), "MP3", "MPEG_LAYER_III", 0.7)


def opus(wave: Waveform, _: np.random.Generator) -> Waveform:
    return coded(resample(wave, 48000), "OGG", "OPUS")


def gain(wave: Waveform, rng: np.random.Generator) -> Waveform:
    return Waveform(wave.samples * np.float32(10 ** rng.uniform(-1, 0.2)), wave.sample_rate_hz)


def trim(wave: Waveform, rng: np.random.Generator) -> Waveform:
    first, last = (round(len(wave.samples) * rng.uniform(0.02, 0.25)) for _ in range(2))
    return Waveform(wave.samples[first : len(wave.samples) - last], wave.sample_rate_hz)


def noise(wave: Waveform, rng: np.random.Generator) -> Waveform:
    level = 0.1 * np.sqrt(np.mean(wave.samples**2))
    return Waveform(
        (wave.samples + level * rng.standard_normal(len(wave.samples))).astype(np.float32), wave.sample_rate_hz
    )


COPIES: dict[str, Callable[[Waveform, np.random.Generator], Waveform]] = {
    "Vorbis, quality 3": vorbis,
    "MP3, VBR 7": mp3,
    "Opus": opus,
    "8 kHz": lambda wave, _: resample(wave, 8000),
    "-20 to +4 dB": gain,
    "cut at both ends, 2 to 25 % each": trim,
    "noise at 20 dB": noise,
    "gain, cut, noise and MP3": lambda wave, rng: mp3(noise(trim(gain(wave, rng), rng), rng), rng),
}


def known(split: str, n_clips: int) -> None:
    clips = read_manifest(STARTER, where={"split": split}, check_files=False).examples
    waves = [decode(clip.audio, allow_silent=True) for clip in clips]
    begin = time.perf_counter()
    prints = [fingerprint(wave) for wave in waves]
    taken_s, sound_s = time.perf_counter() - begin, sum(wave.duration_s for wave in waves)
    print(f"{split}: {len(clips)} clips, {sound_s:.0f} s; fingerprints in {1000 * taken_s / sound_s:.2f} ms a second")
    print(f"too short or plain for a fingerprint: {sum(not can_tell(one) for one in prints)}")
    with tempfile.TemporaryDirectory() as folder:
        index = indexed(prints, Path(folder))
        alarms(clips, prints, index)
        recall(clips, waves, prints, index, n_clips)


def indexed(prints: list[Fingerprint], folder: Path) -> LandmarkIndex:
    index = LandmarkIndex(folder)
    for number, one in enumerate(prints):
        index.add(number, one)
    index.close()
    return index


def best_scores(own: Fingerprint, prints: list[Fingerprint], index: LandmarkIndex) -> dict[int, float]:
    scores: dict[int, float] = {}
    for found in index.candidates(own):
        score = agreement(own, prints[found.clip], found.shift).score
        scores[found.clip] = max(score, scores.get(found.clip, 0.0))
    return scores


def alarms(clips: tuple[Example, ...], prints: list[Fingerprint], index: LandmarkIndex) -> None:
    scores, alike = [], []
    for number, one in enumerate(prints):
        for other, score in best_scores(one, prints, index).items():
            if other < number:
                wrong = {clips[number].source, clips[other].source} & OWN_TAKES
                (scores if wrong else alike).append((score, clips[number].id, clips[other].id))
    takes = sum(clip.source in OWN_TAKES for clip in clips)
    pairs = takes * (takes - 1) // 2 + takes * (len(clips) - takes)
    print(f"false alarms among {pairs:,} pairs:", {t: sum(s[0] >= t for s in scores) for t in THRESHOLDS})
    print("the worst:", *sorted(scores, reverse=True)[:6], sep="\n  ")
    print("pairs among the other sources:", {t: sum(s[0] >= t for s in alike) for t in THRESHOLDS})
    print("the weakest of them:", *sorted(s for s in alike if s[0] >= THRESHOLDS[0])[:12], sep="\n  ")


def recall(
    clips: tuple[Example, ...], waves: list[Waveform], prints: list[Fingerprint], index: LandmarkIndex, n_clips: int
) -> None:
    heard = [number for number, wave in enumerate(waves) if wave.samples.any()]
    chosen = np.random.default_rng(0).permutation(heard)[:n_clips]
    longer = np.array([waves[number].duration_s >= 1 for number in chosen])
    print("| copy | " + " | ".join(f"{t:.2f}" for t in THRESHOLDS) + " | of 1 s and more, at 0.66 | missed there |")
    print("|---|" + "--:|" * (len(THRESHOLDS) + 1) + "---|")
    for name, made in COPIES.items():
        rng = np.random.default_rng(1)
        copies = (fingerprint(made(waves[number], rng)) for number in chosen)
        found = np.array([best_scores(one, prints, index).get(n, 0.0) for n, one in zip(chosen, copies, strict=True)])
        missed = Counter(clips[n].source for n, score in zip(chosen, found, strict=True) if score < 0.66)
        cells = [f"{100 * np.mean(found >= t):.1f}" for t in THRESHOLDS]
        print(f"| {name} | {' | '.join(cells)} | {100 * np.mean(found[longer] >= 0.66):.1f} | {dict(missed)} |")


def ids(rows: int) -> None:
    """Half Freesound and half YouTube clips, beside 20,000 evaluation clips, of which a tenth overlap."""
    with tempfile.TemporaryDirectory() as folder:
        train, evaluation = Path(folder, "train.jsonl"), Path(folder, "evaluation.jsonl")
        for path, first, count in ((train, 0, rows), (evaluation, rows - 2000, 20_000)):
            with path.open("w") as file:
                for number in range(first, first + count):
                    row = {
                        "id": f"c{number}",
                        "audio": f"audio/{number:07d}.flac",
                        "captions": ["a dog barks far away"],
                    }
                    row |= {"freesound_id": number} if number % 2 else {"youtube_id": f"{number:011d}"}
                    file.write(json.dumps(row | {"youtube_start_s": 30.0, "source": "made"}) + "\n")
        before = resident_mb()
        passes: Counter[str] = Counter()
        begin, begin_cpu = time.perf_counter(), time.process_time()
        sets = [ClipSet.open(train)], [ClipSet.open(evaluation)]
        print(f"opened in {time.perf_counter() - begin:.0f} s")
        with FingerprintStore(Path(folder, "kept")) as store, Ledger(store.scratch) as ledger:
            found = find_overlap(
                *sets, ledger=ledger, store=store, config=OverlapConfig(by=("ids",)),
                progress=lambda doing, done, _: passes.update({doing: done - passes[doing]}),
            )  # fmt: skip
        took_s, cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
        peak = f"peak {resident_mb():.0f} MB ({before:.0f} before)"
        print(f"{rows:,} rows: {found.overlapping:,} overlap; {took_s:.0f} s ({cpu_s:.0f} s of one core), {peak}")


def content(n_clips: int, n_against: int) -> None:
    """Fingerprints of made-up peaks and bits, as many as a ten-second clip has; a hundredth are copies."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        before = resident_mb()
        index, held = LandmarkIndex(Path(folder)), {}
        built_s, found, copies, took_s = 0.0, 0, 0, 0.0
        for number in range(n_against):
            held[number] = made_up(rng)
            begin = time.process_time()
            index.add(number, held[number])
            built_s += time.process_time() - begin
        index.close()
        for number in range(n_clips):
            own = held[number // 100 % n_against] if number % 100 == 0 else made_up(rng)
            copies += number % 100 == 0
            begin = time.process_time()
            best = max((agreement(own, held[c.clip], c.shift).score for c in index.candidates(own)), default=0.0)
            took_s += time.process_time() - begin
            found += best >= 0.66
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    print(f"index of {n_against:,}: {built_s:.0f} s of one core, {size / 1e6:.0f} MB")
    print(f"{n_clips:,} looked up: {1000 * took_s / n_clips:.2f} ms of one core each, {found} of {copies} copies found")
    print(f"peak {resident_mb():.0f} MB ({before:.0f} before)")


def made_up(rng: np.random.Generator, seconds: float = 10.0) -> Fingerprint:
    frames = round(seconds * 100)
    peaks = np.unique(rng.integers(0, frames, 550) * 256 + rng.integers(0, 130, 550)).astype(np.uint32)
    bits, mask = rng.integers(0, 2**63, (2, frames), dtype=np.uint64)
    return Fingerprint(peaks, bits & mask, mask)


def resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("known", "ids", "content"))
    parser.add_argument("--split", default="test", choices=("train", "test"))
    parser.add_argument("--clips", type=int)
    parser.add_argument("--against", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=2_000_000)
    args = parser.parse_args()
    if args.what == "known":
        known(args.split, args.clips or 200)
    elif args.what == "ids":
        ids(args.rows)
    else:
        content(args.clips or 10_000, args.against)


if __name__ == "__main__":
    main()
