"""Reading and changing the colours of a 3D model, whatever it keeps them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trimesh import Trimesh


def colours_of(mesh: Trimesh) -> np.ndarray:
    """RGBA of every vertex, uint8, whatever the model keeps its colours in."""
    visual: Any = mesh.visual
    if visual.kind == "texture":
        visual = visual.to_color()
    colours = np.asarray(visual.vertex_colors) if visual.kind is not None else np.zeros((0, 4), dtype=np.uint8)
    return (
        colours
        if len(colours) == len(mesh.vertices)
        else np.tile(np.array([160, 160, 160, 255], dtype=np.uint8), (len(mesh.vertices), 1))
    )


def recoloured(mesh: Trimesh, change: Callable[[np.ndarray], np.ndarray]) -> Trimesh:
    """Colours [n, 3] in 0–1 sent through a function, in the texture where there is one, else at the vertices."""
    import trimesh
    from PIL import Image

    def eight_bit(colours: np.ndarray) -> np.ndarray:
        return (np.clip(colours, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    copy = mesh.copy()
    visual: Any = mesh.visual
    material = getattr(visual, "material", None)
    name = next((n for n in ("baseColorTexture", "image") if getattr(material, n, None) is not None), None)
    if visual.kind == "texture" and material is not None and name:
        picture = np.asarray(getattr(material, name).convert("RGBA"))
        rgb = eight_bit(change(picture[..., :3].reshape(-1, 3) / 255.0)).reshape(*picture.shape[:2], 3)
        changed = material.copy()
        setattr(changed, name, Image.fromarray(np.dstack([rgb, picture[..., 3]]), "RGBA"))
        copy.visual = trimesh.visual.TextureVisuals(uv=visual.uv, material=changed)
    else:
        colours = colours_of(mesh)
        rgb = eight_bit(change(colours[:, :3] / 255.0))
        copy.visual = trimesh.visual.ColorVisuals(copy, vertex_colors=np.hstack([rgb, colours[:, 3:]]))
    return copy
