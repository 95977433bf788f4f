"""3D: the shape distribution D2, which no file format, order of triangles, place, turn or scale changes.

As Osada, Funkhouser, Chazelle and Dobkin (Shape Distributions, ACM Transactions on Graphics 21(4), 2002): how far two
random points of the surface are from each other, over many such pairs; here as the quantiles of that distance, in units
of its mean. Mirroring does not change it either.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np

from core.modalities import Opened

PAIRS, QUANTILES = 1 << 18, 64
UNIT = 1e-4  # of the mean distance: a quantile is kept as a whole number of these
_CELLED, _CELL, _EITHER_SIDE = (8, 24, 48), 0.02, 0.006  # quantiles by which near ones are looked up, and how closely


class MeshFingerprint:
    version = 1
    threshold = 0.003

    def of(self, opened: Opened) -> bytes | None:
        shape = opened.decoded
        corners = np.asarray(shape.unit, np.float64)[shape.faces]
        rng = np.random.default_rng(0)
        apart = np.linalg.norm(_points(corners, rng) - _points(corners, rng), axis=1)
        levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
        told = np.quantile(apart, levels) / apart.mean() / UNIT
        return np.round(told).clip(0, 0xFFFF).astype(">u2").tobytes()

    def distance(self, first: bytes, second: bytes) -> float:
        """The mean difference of the quantiles (the earth mover's distance of both), at most 1.0."""
        return min(1.0, float(np.abs(_quantiles(first) - _quantiles(second)).mean()))

    def keys(self, fingerprint: bytes) -> Iterable[tuple[int, ...]]:
        """Cells of three quantiles, also those that lie close by, so that chance puts no two near ones apart."""
        values = _quantiles(fingerprint)[list(_CELLED)]
        near = [{int((value + side) // _CELL) for side in (-_EITHER_SIDE, _EITHER_SIDE)} for value in values]
        return product(*near)


def _points(corners: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """PAIRS points (PAIRS, 3) spread evenly over triangles (n, 3, 3), in no order (Osada et al., equation 1)."""
    sides = corners[:, 1:] - corners[:, :1]
    reached = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1).cumsum()
    # one in each equal share of the surface: less chance in it than in drawing them all freely
    drawn = (np.arange(PAIRS) + rng.random(PAIRS)) / PAIRS * reached[-1]
    chosen = corners[np.minimum(np.searchsorted(reached, drawn), len(corners) - 1)]
    root, share = np.sqrt(rng.random(PAIRS))[:, None], rng.random(PAIRS)[:, None]
    points = (1 - root) * chosen[:, 0] + root * (1 - share) * chosen[:, 1] + root * share * chosen[:, 2]
    return rng.permutation(points)


def _quantiles(fingerprint: bytes) -> np.ndarray:
    return np.frombuffer(fingerprint, ">u2").astype(np.float64) * UNIT


PLUG = MeshFingerprint()
