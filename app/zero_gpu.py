"""What the studio says on a Space with ZeroGPU hardware, where no judge can use the GPU.

ZeroGPU lends a GPU to single calls of decorated functions, each in a forked process, and counts their time on the
quota of the visitor in whose request the call is made (package `spaces`, 0.51.3: `zero/client.py`). Here a judge is
asked from threads of its own (`core.gathering`), where there is no request, and one call answers several people:
nobody's quota would be right to pay for it. So the big judges say that they cannot run, rather than run on the CPU
unasked.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import JudgeFailed
from core.judges import Judge, JudgeBackend
from core.models.value_head.spec import ModelSpec

HARDWARE = (
    "This Space has ZeroGPU, which lends a GPU to single calls only, and the studio cannot use it so. Choose other "
    "hardware in the Space's settings: CPU basic is enough for the embedded judges, the big ones need a GPU that stays."
)
REASON = (
    "This judge needs a GPU that stays, and this Space has ZeroGPU, which lends one to single calls only. Choose GPU "
    "hardware in the Space's settings, serve the model elsewhere and ask it with the judge endpoint, or choose starter."
)


def without_zero_gpu(backend: JudgeBackend) -> JudgeBackend:
    """On ZeroGPU: the backend, or what stands for it and says why it cannot run, where it would stand on the GPU."""
    spec = getattr(backend, "spec", None)
    on_gpu = getattr(backend, "gpu", False) and not (isinstance(spec, ModelSpec) and spec.device == "cpu")
    return NeedsStayingGpu(backend) if on_gpu else backend


class NeedsStayingGpu:
    """A judge backend that cannot run on ZeroGPU. Nothing of it is ever loaded."""

    def __init__(self, backend: JudgeBackend) -> None:
        self.title, self.about, self.modalities = backend.title, backend.about, backend.modalities

    def unavailable(self) -> str:
        """Always the reason, and what to do."""
        return REASON

    def load(self, model: Path | str | None = None) -> Judge:
        """Raises JudgeFailed."""
        raise JudgeFailed(REASON)
