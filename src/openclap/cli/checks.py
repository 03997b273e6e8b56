"""The checks of `openclap doctor`: what is installed, what this machine can do, and what would make it faster."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

from openclap import __version__

BASE = (
    "torch", "numpy", "soundfile", "soxr", "safetensors", "tokenizers", "transformers", "huggingface_hub", "pydantic",
)  # fmt: skip
EXTRAS = {
    "media": ("av",),
    "train": ("tensorboardX", "matplotlib", "pyarrow"),
    "eval": ("matplotlib", "jinja2", "pyarrow"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "captions": ("openai", "tenacity", "snowballstemmer"),
    "serve": ("fastapi", "uvicorn"),
}
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_CPU = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        state: "ok"; "hint" (works, could be better); "problem" (something will fail).
        value: what was found.
        advice: what to do about it, or nothing.
    """

    name: str
    state: Literal["ok", "hint", "problem"]
    value: str
    advice: str = ""


def all_checks() -> Iterator[Check]:
    """Every finding; a check that itself fails is a problem, not the end."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        _python, _packages, _neighbours, _extras, _codecs, _processor, _threads, _huge_pages, _folders,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - whatever is broken here is what the user wants to hear of
            yield Check(check.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}")


def _python() -> Iterator[Check]:
    yield Check("openclap", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")


def _packages() -> Iterator[Check]:
    for package in BASE:
        version = _version(package)
        if version is None:
            yield Check(package, "problem", "not installed", "pip install openclap")
            continue
        try:
            import_module(package)
        except Exception as error:  # noqa: BLE001 - a broken binary raises anything
            yield Check(package, "problem", f"{version}, does not import: {error}", f"reinstall {package}")
        else:
            yield Check(package, "ok", version)


def _neighbours() -> Iterator[Check]:
    """Packages built for another torch break transformers' own imports as soon as it looks at them."""
    for package in ("torchvision", "torchaudio", "torchcodec"):
        version = _version(package)
        if version is None:
            continue
        try:
            import_module(package)
        except Exception as error:  # noqa: BLE001 - as above
            advice = f"pip uninstall {package} (openclap does not use it), or install the build that fits this torch"
            yield Check(package, "problem", f"{version}, does not import: {str(error).splitlines()[0]}", advice)


def _extras() -> Iterator[Check]:
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if _version(package) is None]
        if missing:
            yield Check(f"extra {extra}", "hint", f"without {', '.join(missing)}", f"pip install 'openclap[{extra}]'")
        else:
            yield Check(f"extra {extra}", "ok", ", ".join(f"{package} {_version(package)}" for package in packages))


def _codecs() -> Iterator[Check]:
    import soundfile

    wanted = {"WAV": "WAV", "FLAC": "FLAC", "OGG": "Ogg Vorbis, Opus", "MP3": "MP3", "AIFF": "AIFF"}
    known = soundfile.available_formats()
    missing = [name for key, name in wanted.items() if key not in known]
    library = f"libsndfile {soundfile.__libsndfile_version__}"
    if missing:
        yield Check("sound files", "problem", f"{library} lacks {', '.join(missing)}", "pip install -U soundfile")
    else:
        yield Check("sound files", "ok", f"{', '.join(wanted.values())} by {library}")
    if _version("av") is None:
        yield Check("M4A, MP4, WebM", "hint", "cannot be read", "pip install 'openclap[media]'")
    else:
        yield Check("M4A, MP4, WebM", "ok", f"by PyAV {_version('av')}")


def _processor() -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        yield Check("GPU", "ok", f"{names} (CUDA {torch.version.cuda}, {bf16})")
    elif torch.version.cuda:
        yield Check("GPU", "hint", f"torch is built for CUDA {torch.version.cuda}, and no GPU is found",
                    "the CPU build of torch is much smaller")  # fmt: skip
    else:
        yield Check("GPU", "ok", "none; torch is the CPU build")
    flags = _CPU.read_text(encoding="utf-8").split("flags", 1)[-1].split("\n", 1)[0] if _CPU.exists() else ""
    native = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    capability = torch.backends.cpu.get_cpu_capability()
    bf16 = f"bf16 in hardware ({', '.join(native)})" if native else "no bf16 in hardware: float32 is faster here"
    yield Check("CPU", "ok", f"{capability}, {bf16}")


def _threads() -> Iterator[Check]:
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    value = f"torch uses {threads} on {usable} usable cores"
    if threads > usable:
        yield Check("threads", "hint", value, f"set OMP_NUM_THREADS={usable}")
    elif threads < usable and os.environ.get("OMP_NUM_THREADS"):
        yield Check("threads", "hint", f"{value}, as OMP_NUM_THREADS says", "unset it for speed")
    else:
        yield Check("threads", "ok", value)
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    advice = "PASSIVE where other programs use the same cores; ACTIVE is quicker on cores that nothing else uses"
    yield Check("waiting threads", "ok", f"OMP_WAIT_POLICY is {policy} in this command", advice)


def _huge_pages() -> Iterator[Check]:
    if not _HUGE_PAGES.exists():
        return
    mode = _HUGE_PAGES.read_text(encoding="utf-8").split("[", 1)[-1].split("]", 1)[0]
    if mode == "never":
        yield Check("huge pages", "hint", "off in the kernel", f"echo madvise > {_HUGE_PAGES} (as root)")
    elif mode == "always" or os.environ.get("THP_MEM_ALLOC_ENABLE") == "1":
        advice = "in your own Python programs: export THP_MEM_ALLOC_ENABLE=1" if mode == "madvise" else ""
        yield Check("huge pages", "ok", f"used by this command ({mode})", advice)
    else:
        yield Check("huge pages", "hint", f"allowed ({mode}), not asked for", "export THP_MEM_ALLOC_ENABLE=1")


def _folders() -> Iterator[Check]:
    cache = os.environ.get("HF_HOME") or str(Path("~/.cache").expanduser())
    for name, folder in {"working folder": Path.cwd(), "temporary folder": Path(tempfile.gettempdir()),
                         "cache folder": Path(cache)}.items():  # fmt: skip
        existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
        if os.access(existing, os.W_OK):
            yield Check(name, "ok", f"{folder} can be written")
        else:
            advice = "set HF_HOME to a folder of yours" if name == "cache folder" else "choose another with --out"
            yield Check(name, "hint", f"{folder} cannot be written", advice)


def _version(package: str) -> str | None:
    loaded = getattr(sys.modules.get(package), "__version__", None)  # torch says its build there: 2.13.0+cpu
    try:
        return str(loaded or metadata.version(package))
    except metadata.PackageNotFoundError:
        return None
