"""The route that serves previews of stored media: /media/{sha256}/{kind}. Only previews leave, never an upload itself.

The hash of a file is its ticket: nobody can guess it, and a browser may keep what it names for good.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from app.studio import Studio

# what the modalities write as previews; anything else is sent as bytes that no browser opens
CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".json": "application/json",
    ".glb": "model/gltf-binary",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def media_route(studio: Studio) -> Route:
    """Serves with Range, a fixed content type, no sniffing, and a sandbox in case one is opened as a page."""

    def serve(request: Request) -> Response:
        sha256, kind = request.path_params["sha256"], request.path_params["kind"]
        previews = (studio.media.previews(sha256) or {}) if _SHA256.fullmatch(sha256) else {}
        path = previews.get(kind)
        if path is None or not path.is_file():
            return PlainTextResponse("There is no such preview.", status_code=404)
        return FileResponse(
            path,
            media_type=CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream"),
            headers={
                "Cache-Control": "private, max-age=31536000, immutable",
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        )

    return Route("/media/{sha256}/{kind}", serve, methods=["GET", "HEAD"])
