"""A triangle mesh in memory: what the readers return, and what measuring, drawing and writing start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np


class Unreadable(ValueError):
    """A 3D file that cannot be used; the text completes "'name' …" and ends without a full stop."""


@dataclass
class Material:
    """Surface colour: `factor` is sRGB in [0, 1], `texture` (h, w, 3) uint8 or None; `pixels` counts the original."""

    factor: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: np.ndarray | None = None
    pixels: int = 0


@dataclass
class Shape:
    """Triangles with optional colours, scene graph already flattened.

    points (n, 3) float32 or float64 as the file has them; faces (m, 3) int; colours (n, 3) uint8 sRGB; uv (n, 2)
    float32 with v downwards from the image's top (as in glTF); material (m,) index into `materials`. `notes` says in
    words what of the file was left out.
    """

    points: np.ndarray
    faces: np.ndarray
    colours: np.ndarray | None = None
    uv: np.ndarray | None = None
    material: np.ndarray | None = None
    materials: list[Material] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)  # what was worked out once: renders

    def check(self) -> None:
        """Unreadable where the numbers are none of a mesh: not finite, out of range, or without any area."""
        if not len(self.faces):
            raise Unreadable("has no faces: it is a point cloud or empty, and only surfaces can be judged")
        lowest, highest = int(self.faces.min()), int(self.faces.max())
        if lowest < 0 or highest >= len(self.points):
            wrong = lowest if lowest < 0 else highest
            raise Unreadable(f"has a face that names vertex {wrong}, but its vertices are 0 to {len(self.points) - 1}")
        # the sum is finite if all are; only where it is not need every number be looked at (huge values overflow it)
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.points.sum()
        if not np.isfinite(total) and not np.isfinite(self.points).all():
            raise Unreadable("has vertices that are not finite numbers (NaN or infinity)")
        if not np.isfinite(self.size) or self.size > 1e30:
            raise Unreadable("has vertices so far apart that nothing can be computed with them")
        if self.size <= 0 or not self.area > 0:
            raise Unreadable("has only degenerate faces: no triangle has an area")

    @cached_property
    def used(self) -> np.ndarray:
        """(n,) whether any face uses the vertex."""
        used = np.zeros(len(self.points), bool)
        used[self.faces] = True
        return used

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner of the used vertices, float64."""
        columns = (self.points if self.used.all() else self.points[self.used]).T
        # column by column: several times faster than along the short axis
        return np.array([float(c.min()) for c in columns]), np.array([float(c.max()) for c in columns])

    @cached_property
    def size(self) -> float:
        """Diagonal of the bounding box in the file's units."""
        with np.errstate(over="ignore"):
            return float(np.linalg.norm(self.bounds[1] - self.bounds[0]))

    @cached_property
    def unit(self) -> np.ndarray:
        """(n, 3) float32: bounding box centred on the origin, its diagonal 1."""
        middle = (self.bounds[0] + self.bounds[1]) / 2
        single = self.points.dtype == np.float32 and self.size > 1e-30
        if single and np.abs(middle).max() < self.size and self.used.all():
            return (self.points - middle.astype(np.float32)) * np.float32(1 / self.size)
        placed = (self.points - middle) / self.size
        # a vertex of no face may lie anywhere, even beyond what float32 holds
        return (placed if self.used.all() else placed.clip(-9, 9)).astype(np.float32)

    @cached_property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First, second and third welded vertex of every face, each (m,) int64 in one block of memory."""
        place, places = self.welded
        a, b, c = (np.ascontiguousarray(column, np.int64) for column in self.faces.T)
        return (a, b, c) if places == len(place) else (place[a], place[b], place[c])

    @cached_property
    def places(self) -> np.ndarray:
        """(places, 3) float32 position in the unit box of every welded vertex."""
        place, places = self.welded
        if places == len(place):
            return self.unit
        where = np.empty((places, 3), np.float32)
        where[place] = self.unit
        return where

    @cached_property
    def pieces(self) -> np.ndarray:
        """(places,) number of the connected piece of every welded vertex."""
        return connected(self.edges.low, self.edges.high, self.welded[1])

    @cached_property
    def corners(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three corners of every face in the unit box, each (m, 3) float32."""
        a, b, c = self.columns
        return self.places.take(a, axis=0), self.places.take(b, axis=0), self.places.take(c, axis=0)

    @cached_property
    def cross(self) -> np.ndarray:
        """(m, 3) float32 face normals, twice the face's area long."""
        a, b, c = self.corners
        u, v = b - a, c - a
        out = np.empty_like(u)
        for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
            np.multiply(u[:, i], v[:, j], out=out[:, axis])
            out[:, axis] -= u[:, j] * v[:, i]
        return out

    @cached_property
    def areas(self) -> np.ndarray:
        """(m,) float32 areas in the unit box."""
        return 0.5 * np.sqrt(np.einsum("ij,ij->i", self.cross, self.cross))

    @cached_property
    def area(self) -> float:
        return float(self.areas.sum(dtype=np.float64))

    @cached_property
    def normals(self) -> np.ndarray:
        """(m, 3) float32 unit normals; zero where the face has no area."""
        doubled = 2 * self.areas
        return self.cross * np.divide(1, doubled, out=np.zeros_like(doubled), where=doubled > 0)[:, None]

    @cached_property
    def welded(self) -> tuple[np.ndarray, int]:
        """(n,) number of the distinct position that each vertex has, and how many positions there are.

        Files that split vertices (STL: three a face; glTF: at every colour or normal seam) are joined again here, so
        that edges are found by position.
        """
        bits = (self.unit + np.float32(0)).view(np.uint32)  # + 0 turns −0 into 0
        mixed = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= bits[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed ^= mixed >> np.uint64(29)
        mixed += bits[:, 2] * np.uint64(0x165667B19E3779F9)
        mixed ^= mixed >> np.uint64(32)
        ordered = np.sort(mixed)
        if not (ordered[1:] == ordered[:-1]).any():
            return np.arange(len(bits), dtype=np.int64), len(bits)
        order = np.argsort(mixed)
        ordered = mixed[order]
        number = np.zeros(len(bits), np.int64)
        number[1:] = np.cumsum(ordered[1:] != ordered[:-1])
        place = np.empty(len(bits), np.int64)
        place[order] = number
        return place, int(number[-1]) + 1

    @cached_property
    def edges(self) -> Edges:
        return Edges.of(self)

    @cached_property
    def samples(self) -> Samples:
        return Samples.of(self)


def connected(low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """(count,) number of the connected component of every vertex, from edges (low, high)."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    if len(low) and (low[1:] < low[:-1]).any():
        order = np.argsort(low, kind="stable")
        low, high = low[order], high[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(low, minlength=count)))).astype(np.int32)
    graph = csr_matrix((np.ones(len(low)), high.astype(np.int32), starts), shape=(count, count))
    return connected_components(graph, directed=False)[1]


@dataclass
class Edges:
    """Every edge once, found by one sort that all edge measures share.

    `low`, `high` (e,) welded vertices; `faces_at` (e,) how many faces meet there. Of every edge that has two faces:
    `left` and `right` (k,) those faces, `pair_edge` (k,) the edge, `agree` (k,) whether they run along it in opposite
    directions, as consistently wound neighbours do. `solid` faces have three different corners.
    """

    low: np.ndarray
    high: np.ndarray
    faces_at: np.ndarray
    left: np.ndarray
    right: np.ndarray
    pair_edge: np.ndarray
    agree: np.ndarray
    solid: int

    @classmethod
    def of(cls, shape: Shape, room: int = 63) -> Edges:
        """`room` is the bits that a packed edge may take."""
        places, count = shape.welded[1], len(shape.faces)
        a, b, c = shape.columns
        solid = (a != b) & (b != c) & (c != a)
        number = np.arange(count)
        if not solid.all():
            number = np.flatnonzero(solid)
            a, b, c = a[solid], b[solid], c[solid]
        bits, below = max(places - 1, 1).bit_length(), max(count - 1, 1).bit_length() + 1
        edge: np.ndarray = np.empty((3, len(a)), np.int64)
        packed = 2 * bits + below <= room
        tail = edge if packed else np.empty_like(edge)
        number <<= 1
        for side, (start, end) in enumerate(((a, b), (b, c), (c, a))):
            np.minimum(start, end, out=edge[side])
            edge[side] <<= bits
            edge[side] |= np.maximum(start, end)
            if packed:
                edge[side] <<= below
                edge[side] |= number
            else:
                tail[side] = number
            tail[side] |= start > end
        # vertices, face and direction packed into one number: a plain sort is several times faster than argsort
        edge, tail = edge.reshape(-1), tail.reshape(-1)
        if packed:
            edge.sort()
            same = (edge[1:] ^ edge[:-1]) < (1 << below)
        else:
            order = np.argsort(edge, kind="stable")
            edge, tail, below = edge[order], tail[order], 0
            same = edge[1:] == edge[:-1]
        starts = np.ones(len(edge), bool)
        np.logical_not(same, out=starts[1:])
        first = np.flatnonzero(starts)
        faces_at = np.diff(first, append=len(edge))
        two = np.flatnonzero(faces_at == 2)
        one = first[two]
        left, right = tail[one], tail[one + 1]
        if packed:
            left &= (1 << below) - 1
            right &= (1 << below) - 1
        ends = edge[first] >> below
        return cls(
            low=ends >> bits,
            high=ends & ((1 << bits) - 1),
            faces_at=faces_at,
            left=left >> 1,
            right=right >> 1,
            pair_edge=two,
            agree=((left ^ right) & 1).astype(bool),
            solid=len(a),
        )

    @property
    def closed(self) -> bool:
        """Every edge has exactly two faces."""
        return len(self.pair_edge) == len(self.low) > 0


SAMPLES = 4096


@dataclass
class Samples:
    """Points spread evenly over the surface, independent of how finely it is meshed; the same ones every time.

    `points` (s, 3), `normals` (s, 3) in the unit box; `face` (s,) and `weights` (s, 3), the barycentric place.
    """

    points: np.ndarray
    normals: np.ndarray
    face: np.ndarray
    weights: np.ndarray

    @cached_property
    def tree(self) -> Any:
        """Nearest neighbours among the samples (scipy's cKDTree)."""
        from scipy.spatial import cKDTree

        return cKDTree(self.points, balanced_tree=False, compact_nodes=False)

    @classmethod
    def of(cls, shape: Shape) -> Samples:
        running = np.cumsum(shape.areas, dtype=np.float64)
        count = np.arange(SAMPLES)
        face = np.searchsorted(running, (count + 0.5) / SAMPLES * running[-1], side="right").clip(0, len(running) - 1)
        # additive recurrence of the plastic number (Roberts 2018): even in two dimensions, no random numbers
        u, v = (count * 0.7548776662466927) % 1, (count * 0.5698402909980532) % 1
        fold = u + v > 1
        u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
        weights = np.stack([1 - u - v, u, v], axis=1).astype(np.float32)
        a, b, c = (corner[face] * weights[:, i : i + 1] for i, corner in enumerate(shape.corners))
        return cls(points=a + b + c, normals=shape.normals[face], face=face, weights=weights)


def colours_at(shape: Shape, face: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """sRGB (k, 3) float32 in [0, 1] at barycentric places of faces, or None where the mesh has no colours."""
    if shape.colours is None and not shape.materials:
        return None
    corners = shape.faces[face]
    out = np.ones((len(face), 3), np.float32)
    if shape.colours is not None:
        out = np.einsum("kc,kcd->kd", weights, shape.colours[corners].astype(np.float32)) / np.float32(255)
    if shape.materials:
        index = shape.material[face] if shape.material is not None else np.zeros(len(face), int)
        for number in np.unique(index):
            here, material = index == number, shape.materials[number]
            out[here] *= np.asarray(material.factor, np.float32)
            if material.texture is not None and shape.uv is not None:
                uv = np.einsum("kc,kcd->kd", weights[here], shape.uv[corners[here]])
                height, width = material.texture.shape[:2]
                uv = uv - np.floor(uv)  # textures repeat, the default of glTF
                x = np.minimum((uv[:, 0] * width).astype(int), width - 1)
                y = np.minimum((uv[:, 1] * height).astype(int), height - 1)
                out[here] *= material.texture[y, x].astype(np.float32) / np.float32(255)
    return out
