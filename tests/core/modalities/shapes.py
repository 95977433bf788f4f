"""Meshes made by arithmetic, and small writers, for the tests of the 3D modality."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np


def lattice(rows: int, columns: int) -> np.ndarray:
    """Triangles of a (rows + 1) × (columns + 1) lattice of points, numbered row by row."""
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    a = (row * (columns + 1) + column).ravel()
    b, c, d = a + 1, a + columns + 1, a + columns + 2
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])


def welded(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rounded = points.round(9) + 0.0
    kept, number = np.unique(rounded, axis=0, return_inverse=True)
    faces = number[faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return kept, faces[whole]


def sphere(rows: int = 32, columns: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Radius 1 about the origin, wound outwards, closed."""
    polar, turn = np.meshgrid(np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns + 1), indexing="ij")
    points = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], -1).reshape(-1, 3)
    return welded(points, lattice(rows, columns))


def torus(rows: int = 48, columns: int = 24, tube: float = 0.35) -> tuple[np.ndarray, np.ndarray]:
    turn, roll = np.meshgrid(np.linspace(0, 2 * np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns + 1), indexing="ij")
    ring = 1 + tube * np.cos(roll)
    points = np.stack([ring * np.cos(turn), tube * np.sin(roll), ring * np.sin(turn)], -1).reshape(-1, 3)
    points, faces = welded(points, lattice(rows, columns))
    return points, faces[:, ::-1] if signed_volume(points, faces) < 0 else faces


def box(sides: tuple[float, float, float] = (1, 1, 1), cuts: int = 1) -> tuple[np.ndarray, np.ndarray]:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, cuts + 1), np.linspace(-1, 1, cuts + 1), indexing="ij"), -1)
    flat = np.concatenate([grid.reshape(-1, 2), np.ones(((cuts + 1) ** 2, 1))], 1)
    points, faces, count = [], [], 0
    for axis in range(3):
        for sign in (1, -1):
            side = np.roll(flat * [1, sign, sign], axis, axis=1)
            face = lattice(cuts, cuts) + count
            middle = np.cross(side[face[0, 1] - count] - side[face[0, 0] - count],
                              side[face[0, 2] - count] - side[face[0, 0] - count])  # fmt: skip
            faces.append(face if middle @ side.mean(axis=0) > 0 else face[:, ::-1])
            points.append(side)
            count += len(side)
    joined, kept = welded(np.concatenate(points), np.concatenate(faces))
    return joined * np.array(sides) / 2, kept


def terrain(cells: int = 60, height: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """An open sheet of gentle hills over [0, 1]², up is +y."""
    x, z = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1), indexing="ij")
    y = height * (np.sin(5 * x) * np.cos(4 * z) + 0.5 * np.sin(9 * x + 7 * z))
    return np.stack([x, y, z], -1).reshape(-1, 3), lattice(cells, cells)[:, ::-1]


def signed_volume(points: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (points[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def noisy(points: np.ndarray, amount: float, seed: int = 5) -> np.ndarray:
    return points + np.random.default_rng(seed).normal(scale=amount, size=points.shape)


def together(*meshes: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.cumsum([0] + [len(points) for points, _ in meshes[:-1]])
    faces = [faces + start for (_, faces), start in zip(meshes, starts, strict=True)]
    return np.concatenate([points for points, _ in meshes]), np.concatenate(faces)


# ----------------------------------------------------------------------------------------------------------- writers


def ply(points: np.ndarray, faces: np.ndarray, order: str = "<", colours: np.ndarray | None = None) -> bytes:
    name = {"<": "binary_little_endian", ">": "binary_big_endian", "a": "ascii"}[order]
    head = ["ply", f"format {name} 1.0", "comment made by a test", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"property uchar {channel}" for channel in ("red", "green", "blue")] if colours is not None else []
    head += [f"element face {len(faces)}", f"property list uchar int {'vertex_indices'}", "end_header\n"]
    start = "\n".join(head).encode()
    if order == "a":
        rows = [
            " ".join(map(repr, map(float, point))) + ("" if colours is None else " " + " ".join(map(str, colours[i])))
            for i, point in enumerate(points)
        ]
        rows += [f"{len(face)} " + " ".join(map(str, face)) for face in faces]
        return start + "\n".join(rows).encode() + b"\n"
    fields = [("p", order + "f4", 3)] + ([("c", "u1", 3)] if colours is not None else [])
    table = np.zeros(len(points), fields)
    table["p"] = points
    if colours is not None:
        table["c"] = colours
    body = b"".join(struct.pack(f"{order}B{len(face)}i", len(face), *map(int, face)) for face in faces)
    return start + table.tobytes() + body


def obj(points: np.ndarray, faces: np.ndarray) -> bytes:
    rows = ["# made by a test"] + ["v " + " ".join(repr(float(value)) for value in point) for point in points]
    return "\n".join(rows + ["f " + " ".join(str(i + 1) for i in face) for face in faces]).encode() + b"\n"


def off(points: np.ndarray, faces: np.ndarray) -> bytes:
    rows = ["OFF", f"{len(points)} {len(faces)} 0"] + [" ".join(repr(float(v)) for v in point) for point in points]
    return "\n".join(rows + [f"{len(face)} " + " ".join(map(str, face)) for face in faces]).encode() + b"\n"


def stl(points: np.ndarray, faces: np.ndarray) -> bytes:
    table = np.zeros(len(faces), [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("more", "<u2")])
    table["c"] = points[faces]
    return b"solid but binary".ljust(80) + struct.pack("<I", len(faces)) + table.tobytes()


def text_stl(points: np.ndarray, faces: np.ndarray) -> bytes:
    rows = ["solid vertex normal"]  # a name made of keywords
    for face in faces:
        corners = [f"vertex {' '.join(format(float(v), '.9e') for v in points[i])}" for i in face]
        rows += ["facet normal 0 0 0", "outer loop", *corners, "endloop", "endfacet"]
    return "\n".join([*rows, "endsolid vertex normal"]).encode() + b"\n"


def gltf(points: np.ndarray, faces: np.ndarray, **changes: object) -> dict:
    """A glTF document as a dict, its buffer embedded; `changes` replace keys at the top."""
    data = points.astype("<f4").tobytes() + faces.astype("<u4").tobytes()
    first = 12 * len(points)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 3 * len(faces), "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": first},
            {"buffer": 0, "byteOffset": first, "byteLength": len(data) - first},
        ],
        "buffers": [
            {
                "byteLength": len(data),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(data).decode(),
            }
        ],
    }
    return document | changes


def glb(document: dict, binary: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I", len(text)) + b"JSON" + text
    if binary:
        chunks += struct.pack("<I", len(binary)) + b"BIN\0" + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks
