"""How fast, how exact and how large is an exported model in ONNX Runtime and OpenVINO, beside openclap itself?

    python benchmarks/export.py [--encoder htsat-tiny | --model BUNDLE] [--threads 2] [--batch 1 8] [--rounds 5]
                                [--systems NAME …] [--text] [--folder DIR] [--json FILE]

Clips are 50 of the starter data beside the checkout, texts are AudioCaps's captions. Without a bundle the weights are
random, and lively: every tensor has values that matter, where a default start hides the errors of 8-bit weights behind
biases of zero. Every system has a process of its own, with the same threads and the same arrays in memory, and takes
turns with nobody: beside other work trust the seconds of CPU time (`cpu_ms`), which count what a process has really
computed, more than clips a second. Cosines are to openclap in float32.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
CLIPS, TEXTS = 50, 128
Run = Callable[[list[np.ndarray]], np.ndarray]  # the inputs of one batch to its vectors


def torch_system(precision: str) -> Callable[[Path, str], Run]:
    """What openclap itself does, from arrays to vectors; the batch is whatever it finds quickest."""

    def build(folder: Path, what: str) -> Run:
        import torch

        import openclap

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        options = {} if precision == "fp32" else {"precision": precision}
        model = openclap.load(folder / "bundle", check=False, **options)  # type: ignore[arg-type]
        if what == "clips":
            rate_hz = model.sample_rate_hz
            return lambda inputs: model.embed_audio(list(inputs[0]), sample_rate_hz=rate_hz)
        return lambda inputs: model.embed_text([str(text) for text in inputs[2]])

    return build


def onnxruntime_system(precision: str) -> Callable[[Path, str], Run]:
    """ONNX Runtime; "dynamic" is its own quantisation of the float32 graph."""

    def build(folder: Path, what: str) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(_graph(folder, what, precision), options)
        names = [value.name for value in session.get_inputs()]
        return lambda inputs: session.run(None, dict(zip(names, inputs, strict=False)))[0]

    return build


def openvino_system(precision: str, hint: str) -> Callable[[Path, str], Run]:
    """OpenVINO on the CPU; "calibrated" is nncf's quantisation of weights and activations."""

    def build(folder: Path, what: str) -> Run:
        import openvino

        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
            "NUM_STREAMS": "1",
        }
        request = core.compile_model(_graph(folder, what, precision), "CPU", settings).create_infer_request()
        return lambda inputs: request.infer(dict(enumerate(inputs[:2] if what == "texts" else inputs)))[0].copy()

    return build


SYSTEMS: dict[str, Callable[[Path, str], Run]] = {
    "openclap fp32": torch_system("fp32"),
    "openclap int8": torch_system("int8"),
    "openclap bf16": torch_system("bf16"),
    "onnxruntime fp32": onnxruntime_system("fp32"),
    "onnxruntime int8 weights": onnxruntime_system("int8"),
    "onnxruntime int8 dynamic": onnxruntime_system("dynamic"),
    "openvino fp32": openvino_system("fp32", "f32"),
    "openvino bf16": openvino_system("fp32", "bf16"),
    "openvino int8": openvino_system("int8", "f32"),
    "openvino int8 calibrated": openvino_system("calibrated", "f32"),
}


def _graph(folder: Path, what: str, precision: str) -> str:
    """The graph in a precision; those that are not openclap's own are made here, from the float32 one."""
    name = "audio" if what == "clips" else "text"
    if precision in {"fp32", "int8"}:
        return str(folder / precision / f"{name}.onnx")
    source = folder / "fp32" / f"{name}.onnx"
    if precision == "dynamic":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        made = folder / f"{name}-dynamic.onnx"
        quantize_dynamic(
            source, made, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=_front_end_nodes(source),
        )  # fmt: skip
        return str(made)
    import nncf
    import openvino

    names = ["waveforms"] if what == "clips" else ["input_ids", "attention_mask"]
    inputs = _inputs(folder, what)
    rows = [{n: part[i : i + 1] for n, part in zip(names, inputs, strict=False)} for i in range(0, len(inputs[0]), 5)]
    model = nncf.quantize(
        openvino.Core().read_model(source), nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows), ignored_scope=nncf.IgnoredScope(names=_front_end_nodes(source), validate=False),
    )  # fmt: skip
    made = folder / f"{name}-calibrated.xml"
    openvino.save_model(model, made, compress_to_fp16=False)
    return str(made)


def _front_end_nodes(source: Path) -> list[str]:
    import onnx

    graph = onnx.load(source).graph
    return [node.name for node in graph.node if any(name.startswith("log_mel.") for name in node.input)]


def _inputs(folder: Path, what: str) -> list[np.ndarray]:
    names = ["clips"] if what == "clips" else ["input_ids", "attention_mask", "texts"]
    return [np.load(folder / f"{name}.npy") for name in names]


def work(folder: Path, name: str, what: str, batches: list[int], rounds: int) -> None:
    """What one system's process does; prints one JSON line."""
    began = time.perf_counter()
    run = SYSTEMS[name](folder, what)
    inputs = _inputs(folder, what)
    found: dict[str, Any] = {"load_s": round(time.perf_counter() - began, 1)}

    def parts(size: int) -> Iterator[list[np.ndarray]]:
        return ([array[i : i + size] for array in inputs] for i in range(0, len(inputs[0]), size))

    vectors = np.concatenate([run(part) for part in parts(max(batches))])
    reference = folder / f"{what}-reference.npy"
    if not reference.exists():
        np.save(reference, vectors)
    cosines = (vectors * np.load(reference)).sum(axis=1)
    found |= {"mean_cosine": float(cosines.mean()), "worst_cosine": float(cosines.min())}
    found["largest_difference"] = float(np.abs(vectors - np.load(reference)).max())
    for size in batches:
        best, cpu = float("inf"), float("inf")
        for _ in range(rounds):
            some = list(parts(size))[: max(1, 16 // size)]
            count = sum(len(part[0]) for part in some)
            wall, process = time.perf_counter(), time.process_time()
            for part in some:
                run(part)
            best = min(best, (time.perf_counter() - wall) / count)
            cpu = min(cpu, (time.process_time() - process) / count)
        found[f"per_second_{size}"], found[f"cpu_ms_{size}"] = round(1 / best, 2), round(1e3 * cpu, 1)
    found["peak_rss_mb"] = peak_rss_mb()
    print(json.dumps(found))


def peak_rss_mb() -> int:
    """The most memory that this program had; getrusage would count the parent's, from which it was forked."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def prepare(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Bundle, both exports, clips and texts, in a folder; gives what exporting took."""
    if (folder / "about.json").exists():
        found: dict[str, Any] = json.loads((folder / "about.json").read_text())
        return found
    from openclap.checkpoints.load import load
    from openclap.checkpoints.native import save_bundle
    from openclap.export.write import export_bundle

    bundle = load(args.model) if args.model else lively_bundle(args.encoder)
    clips = real_clips(bundle.frontend)
    if not args.model:
        settle_norms(bundle, clips[:16])
    save_bundle(bundle, folder / "bundle")
    texts = captions()
    batch = bundle.tokenizer(texts)
    np.save(folder / "clips.npy", clips)
    np.save(folder / "texts.npy", np.array(texts))
    np.save(folder / "input_ids.npy", batch.input_ids.numpy())
    np.save(folder / "attention_mask.npy", batch.attention_mask.numpy())
    found = {"name": bundle.config.name}
    for precision in ("fp32", "int8"):
        began = time.perf_counter()
        export_bundle(bundle, folder / precision, precision=precision)  # type: ignore[arg-type]
        found[f"export_{precision}_s"] = round(time.perf_counter() - began, 1)
        for file in ("audio.onnx", "text.onnx"):
            found[f"{precision}_{file}_mb"] = round((folder / precision / file).stat().st_size / 1e6, 1)
    (folder / "about.json").write_text(json.dumps(found))
    return found


def lively_bundle(encoder: str) -> Any:
    """An encoder with LAION's front-end and RoBERTa-base, whose random weights all matter."""
    import torch

    from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
    from openclap.checkpoints.native import Bundle, BundleConfig
    from openclap.models.clap import Clap, ClapConfig, EncoderConfig
    from openclap.text.tokenizer import Tokenizer

    roberta = {"model_type": "roberta", "vocab_size": 50265, "max_position_embeddings": 514, "pad_token_id": 1}
    text = EncoderConfig(name="hf", options={"hf": roberta, "pooling": "pooler"})
    config = ClapConfig(audio=EncoderConfig(name=encoder), text=text)
    model = Clap(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim == 1:
                tensor.add_(0.1 * noise)
            elif "relative_bias" in name or "position_embedding" in name:
                tensor.copy_(0.3 * noise)
            elif tensor.ndim > 1:
                tensor.copy_(noise * (1.7 / tensor[0].numel()) ** 0.5)
    frontend = Frontend(FRONTEND_PRESETS["laion"])
    tokenizer = Tokenizer.train(captions(), 3000)
    return Bundle(model, frontend, tokenizer, BundleConfig(name=encoder, model=config, frontend=frontend.config))


def settle_norms(bundle: Any, clips: np.ndarray) -> None:
    """Give every batch norm the statistics of real sound, as training would."""
    import torch

    kinds = torch.nn.BatchNorm1d | torch.nn.BatchNorm2d
    norms = [module for module in bundle.model.modules() if isinstance(module, kinds)]
    for norm in norms:
        norm.train().momentum = 1.0
    with torch.no_grad():
        bundle.model.encode_audio(bundle.frontend.log_mel(torch.from_numpy(clips))[:, None])
    for norm in norms:
        norm.eval().momentum = 0.1


def real_clips(frontend: Any) -> np.ndarray:
    manifest = SHARED / "starter" / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    rows = random.Random(0).sample(rows, CLIPS)
    return np.stack([frontend.load(manifest.parent / row["path"]).samples for row in rows])


def captions() -> list[str]:
    with (SHARED / "captions" / "audiocaps_test.csv").open(newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)][:TEXTS]


def measure(folder: Path, name: str, what: str, args: argparse.Namespace) -> dict[str, Any]:
    settings = {key: str(args.threads) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    batches = [str(size) for size in (args.batch if what == "clips" else args.text_batch)]
    command = [sys.executable, __file__, "--work", str(folder), name, what, str(args.rounds), *batches]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"system": name, "what": what, "failed": done.stderr.strip().splitlines()[-1][:200]}
    return {"system": name, "what": what, **json.loads(done.stdout.strip().splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="htsat-tiny")
    parser.add_argument("--model", metavar="BUNDLE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--text-batch", type=int, nargs="+", default=[16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--text", action="store_true", help="texts too")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the exports here, and take those that are")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        about = {"date": datetime.now(UTC).date().isoformat(), "threads": args.threads, **prepare(folder, args)}
        print(json.dumps(about), flush=True)
        results = []
        for what in ("clips", "texts") if args.text else ("clips",):
            for system in args.systems:
                results.append(measure(folder, system, what, args))
                print(json.dumps(results[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"about": about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        _, _, where, system_name, kind, repeat, *sizes = sys.argv
        work(Path(where), system_name, kind, [int(size) for size in sizes], int(repeat))
    else:
        main()
