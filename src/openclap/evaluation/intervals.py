"""Bootstrap confidence intervals: how much a number would move if other clips had been drawn.

The clips are the sample, so clips are what is redrawn (with replacement); a clip's captions go with it. The gallery
that is searched stays as it is. Percentile intervals, Efron and Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

DRAWS = 1000
LEVEL = 0.95

Weights = Float[np.ndarray, "draws clips"]


def draw_weights(clips: int, seed: int, draws: int = DRAWS) -> Weights:
    """How often each clip is drawn, in each of `draws` redrawn samples of the same size.

    >>> draw_weights(4, seed=0, draws=3).sum(axis=1)
    array([4., 4., 4.])
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=draws).astype(np.float64)


def weighted_means(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """The mean of `values` in each draw.

    >>> weighted_means(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [2.0, 0.0]]))
    array([2., 1.])
    """
    return np.asarray(weights @ values / weights.sum(axis=1))


def weighted_medians(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """The (lower) median of `values` in each draw.

    >>> weighted_medians(np.array([5.0, 1.0, 3.0]), np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0]]))
    array([3., 5.])
    """
    order = np.argsort(values)
    passed = np.cumsum(weights[:, order], axis=1)
    middle = (passed >= passed[:, -1:] / 2 - 1e-9).argmax(axis=1)
    return np.asarray(values[order][middle])


def percentiles(statistics: Float[np.ndarray, " draws"], level: float = LEVEL) -> tuple[float, float]:
    """The lower and upper limit that hold `level` of the draws, equal tails left out.

    >>> percentiles(np.arange(41.0), level=0.5)
    (10.0, 30.0)
    """
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
