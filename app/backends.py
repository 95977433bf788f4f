"""The judges of the shelf, bound to their settings: the page, the command line and the doctor see the same ones."""

from __future__ import annotations

from app.settings import Settings
from core.errors import JudgeFailed
from core.judges import JUDGES, Judge, JudgeBackend


def judge_backend(name: str, settings: Settings) -> JudgeBackend:
    """The judge's backend, bound to its settings where it takes any. Raises NotFound."""
    backend = JUDGES[name]
    spec = {"endpoint": settings.endpoint, "reward_head": settings.reward_head}.get(name)
    return backend if spec is None else backend.configured(spec, settings.limits)


def runnable_judge(name: str, settings: Settings) -> Judge:
    """The judge by name, loaded. Raises NotFound, JudgeFailed or MissingExtra with what to do."""
    backend = judge_backend(name, settings)
    reason = backend.unavailable()
    if reason is not None:
        raise JudgeFailed(f"The judge {name!r} cannot run here: {reason}")
    return backend.load()
