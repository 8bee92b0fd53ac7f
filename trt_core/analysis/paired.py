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
from collections.abc import Callable, Iterator

import numpy as np

ALPHA = 0.05
BETA = 0.001  # spent on each nuisance: the discordance rate, and the baseline's accuracy for a relative drop
_LEVEL = ALPHA - 2.0 * BETA  # of a tail: both nuisances are taken out
_GRID = (1.0, 0.9, 0.75, 0.5, 0.25, 0.0)  # of discordance rates; the tail is largest at the upper end
_CLOSE = 1e-12  # between two ends that hold a limit


def drop_limit(samples: int, lost: int, gained: int) -> float:
    """Upper confidence limit of the drop D, in accuracy from -1 to 1; its error is at most ALPHA - BETA.

    The lower limit is `-drop_limit(samples, gained, lost)`.
    """
    difference = lost - gained
    rate = binomial_limit(lost + gained, samples, BETA)
    start, spread = max(-1.0, difference / samples - _CLOSE), math.sqrt(rate / samples)

    def largest(drop: float) -> float:
        return max(_tails(samples, difference, drop, rate))

    # No drop exceeds the rate: where even that one is not excluded, it is the limit.
    limit = _crossing(lambda drop: loss_tail(samples, difference, drop, rate), _LEVEL, start, rate, spread)
    return limit if largest(limit) <= _LEVEL else _crossing(largest, _LEVEL, limit, rate, spread)


def is_limit_within(samples: int, lost: int, gained: int, drop: float) -> bool:
    """Whether `drop_limit` is at most `drop`: a look at the tail or two, where the limit itself takes dozens."""
    difference = lost - gained
    seen = (lost + gained) / samples
    if drop < difference / samples:
        return False
    # The tail grows with the rate: far from excluded at the rate seen, a drop is not excluded at the rate's limit.
    if drop <= 1.0 and loss_tail(samples, difference, drop, max(seen, drop)) > 2.0 * _LEVEL:
        return False
    rate = binomial_limit(lost + gained, samples, BETA)
    return drop >= rate or all(tail <= _LEVEL for tail in _tails(samples, difference, drop, rate))


def _tails(samples: int, difference: int, drop: float, rate: float) -> Iterator[float]:
    """The tail at discordance rates from the highest to the least that the drop needs."""
    least = abs(drop)
    return (loss_tail(samples, difference, drop, least + (rate - least) * part) for part in _GRID)


def loss_tail(samples: int, difference: int, drop: float, rate: float) -> float:
    """P(losses - gains <= difference) for n samples of drop `drop` and discordance rate `rate`.

    The distribution is the n-th power of the step's characteristic function, back-transformed on a window so wide that
    what lies beyond it is below 1e-19. Its sum up to the difference is one over the frequencies, of which only those
    are taken where the power is not below 1e-17.
    """
    half = math.ceil(12.0 * math.sqrt(samples * rate) + 60.0)
    size, first = 2 * half + 1, round(samples * drop) - half
    count = difference - first + 1
    if count <= 0 or count >= size:
        return 0.0 if count <= 0 else 1.0
    # |step|^2 is at most 1 - 2 q (1 - q) (1 - cos a), and 1 - cos a at least 2 (a / pi)^2.
    spread = samples * rate * (1.0 - rate)
    used = half if spread < 20.0 else min(half, math.ceil(size / 2.0 * math.sqrt(20.0 / spread)))
    angles = np.arange(1, used + 1) * (2.0 * math.pi / size)
    steps = 1.0 - 2.0 * rate * np.sin(angles / 2.0) ** 2 + 1j * drop * np.sin(angles)
    powers = steps**samples * np.exp(-0.5j * angles * (first + difference))
    shares = powers.real * np.sin(angles * (count / 2.0)) / np.sin(angles / 2.0)
    return min(1.0, max(0.0, (count + 2.0 * float(shares.sum())) / size))


def binomial_limit(successes: int, samples: int, error: float) -> float:
    """Clopper and Pearson's upper limit of a proportion: the p at which P(X <= successes) = error."""
    if successes >= samples:
        return 1.0
    share = successes / samples
    spread = math.sqrt((share * (1.0 - share) + 1.0 / samples) / samples)
    # Successes are losses that no gain stands against.
    return _crossing(lambda share: loss_tail(samples, successes, share, share), error, share, 1.0, spread)


def binomial_floor(successes: int, samples: int, error: float) -> float:
    """Clopper and Pearson's lower limit of a proportion."""
    return 1.0 - binomial_limit(samples - successes, samples, error)


def _crossing(chance: Callable[[float], float], error: float, low: float, high: float, spread: float) -> float:
    """The least value in `low`..`high` from which on a falling chance is at most `error`; `high` where it never is.

    A bracket grows from `low` by multiples of `spread`, then closes by I. F. D. Oliveira and R. H. C. Takahashi, "An
    enhancement of the bisection method average performance preserving minmax optimality", ACM TOMS 47 (2020) 5: a
    dozen rounds on what is smooth, and never more than one over bisection. It goes by logarithms, which fall evenly
    where chances do not.
    """

    def excess(value: float) -> float:
        return math.log(max(chance(value), 1e-300) / error)

    near, far, above, below = low, low, 0.0, excess(low)
    step = 2.0 * spread
    while below > 0.0:
        if far >= high:
            return high
        near, above = far, below
        far, step = min(high, far + step), 2.0 * step
        below = excess(far)
    first = far - near
    slack = _CLOSE * 2.0 ** math.ceil(math.log2(max(1.0, first / _CLOSE)))
    while far - near > _CLOSE:
        middle, radius = (near + far) / 2.0, slack - (far - near) / 2.0
        falsi = (near * below - far * above) / (below - above)
        shift = math.copysign(min(0.2 * (far - near) ** 2 / first, abs(middle - falsi)), middle - falsi)
        inner = falsi + shift
        point = inner if abs(inner - middle) <= radius else middle - math.copysign(radius, shift)
        value, slack = excess(point), slack / 2.0
        if value > 0.0:
            near, above = point, value
        else:
            far, below = point, value
    return far
