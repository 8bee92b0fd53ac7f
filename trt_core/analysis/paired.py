"""Exact one-sided limits for the loss of accuracy between two runs on the same samples.

Each sample is right or wrong in the baseline and in the candidate. With p10 and p01 the chances of a loss and of a
gain, the drop of accuracy is D = p10 - p01, and T = losses - gains of n independent samples is a sum of n steps -1, 0
or +1. Its distribution depends on D and on the discordance rate q = p10 + p01, a nuisance. Following R. L. Berger and
D. D. Boos, "P values maximized over a confidence set for the nuisance parameter", JASA 89 (1994) 1012-1016, the tail
is maximized over q up to its Clopper-Pearson limit at error BETA, and BETA is added to the error: the limits hold for
every n, where the sign test (conditional on the discordant samples) would take q for known. The same idea, for the
paired difference: C. J. Lloyd and M. V. Moldovan, Statistics in Medicine 26 (2007) 3369-3381.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

ALPHA = 0.05
BETA = 0.001  # spent on each nuisance: the discordance rate, and the baseline's accuracy for a relative drop
_GRID = np.array([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])  # of discordance rates; the tail is largest at the upper end
_ROUNDS = 40


def drop_limit(samples: int, lost: int, gained: int, *, alpha: float = ALPHA - BETA) -> float:
    """Upper confidence limit of the drop D, in accuracy from -1 to 1; its error is at most `alpha`.

    The lower limit is `-drop_limit(samples, gained, lost)`.
    """
    rate = binomial_limit(lost + gained, samples, BETA)
    difference = lost - gained

    def is_excluded(drop: float) -> bool:
        least = abs(drop)
        if least > rate:
            return True
        tails = (loss_tail(samples, difference, drop, least + (rate - least) * float(part)) for part in _GRID)
        return max(tails) <= alpha - BETA

    return _bisected(max(-1.0, difference / samples - 1e-12), 1.0, is_excluded)


def loss_tail(samples: int, difference: int, drop: float, rate: float) -> float:
    """P(losses - gains <= difference) for n samples of drop `drop` and discordance rate `rate`.

    The distribution is the n-th power of the step's characteristic function, back-transformed on a window so wide that
    what wraps around it is below 1e-30.
    """
    width = 40.0 * math.sqrt(samples * rate) + 200.0
    is_whole = samples <= width  # then the window holds every value from -n to n, and nothing wraps around
    size = 1 << (2 * samples + 1 if is_whole else int(2 * width)).bit_length()
    centre = 0 if is_whole else round(samples * drop)
    step = np.zeros(size)
    step[0] = 1.0 - rate
    step[1] += (rate + drop) / 2.0
    step[-1] += (rate - drop) / 2.0
    shares = np.fft.irfft(np.fft.rfft(step) ** samples, size)
    offset = difference - centre  # the window is centred on the mean, modulo its size
    values = np.roll(shares, size // 2 - centre % size)
    upto = offset + size // 2 + 1
    return float(np.clip(values[: max(0, min(size, upto))].sum(), 0.0, 1.0))


def binomial_limit(successes: int, samples: int, error: float) -> float:
    """Clopper and Pearson's upper limit of a proportion: the p at which P(X <= successes) = error."""
    if successes >= samples:
        return 1.0
    counts = np.arange(successes)
    logs = np.concatenate([[0.0], np.cumsum(np.log(samples - counts) - np.log1p(counts))])
    return _bisected(successes / samples, 1.0, lambda share: _at_most(logs, samples, share) <= error)


def binomial_floor(successes: int, samples: int, error: float) -> float:
    """Clopper and Pearson's lower limit of a proportion."""
    return 1.0 - binomial_limit(samples - successes, samples, error)


def _at_most(logs: npt.NDArray[np.float64], samples: int, share: float) -> float:
    if share >= 1.0:
        return 0.0
    counts = np.arange(len(logs))
    terms = logs + counts * math.log(max(share, 1e-300)) + (samples - counts) * math.log1p(-share)
    return float(np.exp(terms).sum())


def _bisected(low: float, high: float, is_beyond: Callable[[float], bool]) -> float:
    """The least value in `low`..`high` from which on the test says yes."""
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        if is_beyond(middle):
            high = middle
        else:
            low = middle
    return high
