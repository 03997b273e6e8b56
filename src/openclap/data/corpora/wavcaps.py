"""WavCaps: 400,000 clips of FreeSound, BBC Sound Effects, SoundBible and AudioSet, with captions by a language model.

Layout as published (huggingface.co/datasets/cvssp/WavCaps): `json_files/PART/….json`, an object whose list `data` has
`id`, `caption` and `duration`, and besides, where the source knows it, `title`, `description`, `author`, `href`, `tags`
and `download_link`; `json_files/blacklist/blacklist_exclude_….json` with the lists `AudioSet` and `FreeSound` of ids
that stand in evaluation sets; `Zip_files/PART/PART.z01 … .zip`, whose FLAC files lie in a deep folder `PART_flac`.
(The same tables on GitHub are bare lists, which are read as well.)

Ids of the AudioSet part are `YID.wav`, for files that are named `YID.flac`; those of the others are numbers or names.
Where its clips start in their videos is not said. Column names are those of the published files and of aac-datasets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.hub import hub_files
from openclap.data.tables import json_rows, load_json
from openclap.errors import ManifestError

REPOSITORY = "cvssp/WavCaps"

Part = Literal["AudioSet_SL", "BBC_Sound_Effects", "FreeSound", "SoundBible"]


_TABLES: dict[Part, str] = {
    "AudioSet_SL": "as_final.json",
    "BBC_Sound_Effects": "bbc_final.json",
    "FreeSound": "fsd_final.json",
    "SoundBible": "sb_final.json",
}
_BLACKLISTED: dict[Part, str] = {"AudioSet_SL": "AudioSet", "FreeSound": "FreeSound"}  # keys of the lists


class WavCapsConfig(CorpusConfig):
    """Settings.

    Attributes:
        parts: those of the four sources that are wanted; one whose table is not there is passed over.
        blacklists: the published lists by which clips of evaluation sets are left out: "test_ac" (test sets of
            AudioCaps and Clotho), "all_ac" (all of both), "ub8k_esc50_vggsound"; empty keeps every clip.
    """

    parts: tuple[Part, ...] = ("AudioSet_SL", "BBC_Sound_Effects", "FreeSound", "SoundBible")
    blacklists: tuple[Literal["test_ac", "all_ac", "ub8k_esc50_vggsound"], ...] = ("test_ac",)


class WavCaps(PublishedCorpus):
    """The registered corpus "wavcaps"."""

    config = WavCapsConfig
    info = CorpusInfo(
        name="wavcaps",
        title="400,000 clips of four sources, with captions that a language model made of what was said of them",
        licence="Academic use only; sounds: as FreeSound, BBC, SoundBible and YouTube have it",
        url=f"https://huggingface.co/datasets/{REPOSITORY}",
        kind="captions",
        access="hub",
        instructions="Its zips need some 800 GB; --set parts=[SoundBible] gets one source.",
        clips=403050,
        hours=7567.9,
        overlaps={
            "audiocaps": "the AudioSet part holds clips of AudioCaps; blacklists test_ac and all_ac leave them out",
            "audioset": "the AudioSet part is of its strongly labelled clips",
            "clotho": "the FreeSound part holds clips of Clotho; blacklists test_ac and all_ac leave them out",
            "esc50": "the FreeSound part holds its clips; the blacklist ub8k_esc50_vggsound leaves them out",
            "urbansound8k": "the FreeSound part holds its clips; the blacklist ub8k_esc50_vggsound leaves them out",
            "vggsound": "the AudioSet part holds its clips; the blacklist ub8k_esc50_vggsound leaves them out",
            "fsd50k": "the FreeSound part may hold the same clips",
            "sounddescs": "both are of BBC Sound Effects",
            "wavtext5k": "both are of SoundBible",
            "laion-630k": "both are of Freesound and BBC Sound Effects",
        },
        citation="X. Mei et al., WavCaps: A ChatGPT-Assisted Weakly-Labelled Audio Captioning Dataset, TASLP 2024",
    )

    def needs(self, config: WavCapsConfig) -> Sequence[str]:
        """A table, and the blacklists that are asked for."""
        return ("json_files/*/*_final.json", *(_blacklist(name) for name in config.blacklists))

    def files(self, config: WavCapsConfig) -> Iterator[RemoteFile]:
        """The tables and archives of the parts, as the hub lists them."""
        wanted = [pattern for part in config.parts for pattern in (f"json_files/{part}/*", f"Zip_files/{part}/*")]
        return hub_files(REPOSITORY, "json_files/blacklist/*", *wanted, unpack=True)

    def rows(self, raw: Path, config: WavCapsConfig) -> Iterator[dict[str, Any]]:
        """A row for each item of the tables that is on no blacklist."""
        lists = [load_json(raw / _blacklist(name)) for name in config.blacklists]
        for name in config.parts:
            table = raw / "json_files" / name / _TABLES[name]
            if not table.exists():
                continue
            left_out = {_stem(own) for blacklist in lists for own in blacklist.get(_BLACKLISTED.get(name), ())}
            home = _home(raw, name)
            for number, item in enumerate(json_rows(table, "data"), start=1):
                try:
                    own, caption = _stem(str(item["id"])), item["caption"]
                except (KeyError, TypeError) as error:
                    reason = f"item {number:,} of its list has no id and caption ({type(error).__name__}: {error})"
                    raise ManifestError(table, f"{reason}: is it the published file?") from error
                if own not in left_out:
                    yield {
                        "id": f"{name}/{own}",
                        "audio": f"{home}/{own}.flac",
                        "captions": [caption],
                        "source": f"wavcaps/{name}",
                        **_about(item),
                        "freesound_id": own if name == "FreeSound" else None,
                        "youtube_id": own.removeprefix("Y") if name == "AudioSet_SL" else None,
                    }


corpora.add("wavcaps", WavCaps())


def _about(item: dict[str, Any]) -> dict[str, Any]:
    """What a source says of a clip, under names that are no captions or labels."""
    return {
        "credit": item.get("author") or None,
        "source_title": item.get("title") or None,
        "source_description": item.get("description") or None,
        "source_tags": item.get("tags") or None,
        "source_url": item.get("href") or item.get("download_link") or None,
    }


def _blacklist(name: str) -> str:
    return f"json_files/blacklist/blacklist_exclude_{name}.json"


def _stem(own: str) -> str:
    return own.removesuffix(".wav")


def _home(raw: Path, part: str) -> str:
    """The folder of a part's FLAC files, which its archive puts into folders of the authors' own machine."""
    found = [path for name in (f"{part}_flac", part) for path in raw.glob(f"**/{name}") if path.is_dir()]
    with_sound = (path for path in found if next(path.glob("*.flac"), None) is not None)
    return next((path.relative_to(raw).as_posix() for path in with_sound), f"audio/{part}")
