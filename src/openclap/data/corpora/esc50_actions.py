"""ESC50-Actions: which of 20 actions made each sound of ESC-50, as three people rated it.

The ratings are `action_vectors_dataset/actionvector_one_per_audiofile.csv` of
github.com/bmartin1/Identifying_Actions_for_Sound_Event_Classification: `filename,fold,target,category`, then a column
an action with the mean of three ratings from 0 (very unlikely) to 4 (very likely). The sounds are ESC-50's own. MS-CLAP
reports mAP on it and does not say when an action counts: the threshold is ours, and `ratings` keeps the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from openclap.data.corpora.esc50 import ARCHIVE, OVERLAPS
from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import NamePattern, home_of, number
from openclap.data.tables import table_rows

TABLE = "actionvector_one_per_audiofile.csv"

# fmt: off
ACTIONS = (
    "blowing", "breaking", "calling", "crumpling", "dripping", "exhaling", "exploding", "gasping", "groaning",
    "pouring", "ringing", "rolling", "rotating", "scraping", "singing", "sizzling", "splashing", "tapping",
    "vibrating", "wailing",
)
# fmt: on

_NAMES = NamePattern(
    r"(?P<fold>[1-5])-(?P<freesound_id>\d+)-(?P<take>[A-Z])-(?P<target>\d+)", "FOLD-FREESOUND_ID-TAKE-TARGET"
)
_URL = "https://github.com/bmartin1/Identifying_Actions_for_Sound_Event_Classification"


class Esc50ActionsConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        min_rating: an action is a label of a clip when its mean rating (0 to 4) is at least this: 2 is "neither likely
            nor unlikely". Ours: the papers that use the corpus do not say.
    """

    min_rating: float = Field(default=2.0, gt=0, le=4)


class Esc50Actions(PublishedCorpus):
    """The registered corpus "esc50-actions"."""

    info = CorpusInfo(
        name="esc50-actions",
        title="The 2,000 sounds of ESC-50, labelled with the actions that may have made them",
        licence="of the sounds: CC BY-NC 3.0; of the ratings: not stated",
        url=_URL,
        kind="labels",
        labels="multi",
        access="download",
        instructions="An ESC-50 that is there already can be linked as raw/ESC-50-master instead of fetched again.",
        files=(
            RemoteFile(
                TABLE,
                "https://raw.githubusercontent.com/bmartin1/Identifying_Actions_for_Sound_Event_Classification/master/"
                f"action_vectors_dataset/{TABLE}",
            ),
            ARCHIVE,
        ),
        clips=2000,
        hours=2.8,
        id_space="freesound",
        overlaps=OVERLAPS | {"esc50": "the same clips with other labels", "esc10": "the same clips with other labels"},
        classes={"labels": ACTIONS},
        citation="B. Elizalde et al., Identifying Actions for Sound Event Classification, WASPAA 2021",
    )
    config = Esc50ActionsConfig

    def needs(self, config: Esc50ActionsConfig) -> Sequence[str]:
        """The ratings and ESC-50."""
        return (f"**/{TABLE}", "**/meta/esc50.csv")

    def rows(self, raw: Path, config: Esc50ActionsConfig) -> Iterator[dict[str, Any]]:
        """The clips, by file name; one that no action fits has no label."""
        ratings, sounds = raw / home_of(raw, TABLE) / TABLE, home_of(raw, "meta/esc50.csv")
        for row in table_rows(ratings, ("filename", "fold", "category", *ACTIONS)):
            rated = {action: number(row, action, ratings) for action in ACTIONS}
            name = _NAMES.read(row["filename"])
            yield {
                "id": row["filename"].removesuffix(".wav"),
                "audio": f"{sounds}/audio/{row['filename']}",
                "labels": [action for action, rating in rated.items() if rating >= config.min_rating],
                "fold": int(name["fold"]),
                "freesound_id": name["freesound_id"],
                "take": name["take"],
                "category": row["category"],
                "ratings": {action: round(rating, 3) for action, rating in rated.items() if rating},
            }


corpora.add("esc50-actions", Esc50Actions())
