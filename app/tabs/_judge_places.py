"""The places of the Judge tab: what is compared, what lies on each side, and how it is looked at."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app import widgets
from app.studio import Received, Studio
from app.tabs import _judge_layout as layout
from app.tabs import _verdict_view as view
from app.tabs._session import Session
from core.modalities import MODALITIES
from core.nouns import Modality, Task

Update = dict[Any, Any]


class Places:
    """Events that fill, empty and show the places; each returns the components that it changes."""

    def __init__(self, studio: Studio, desk: layout.Desk) -> None:
        self.studio, self.desk = studio, desk

    # -- what is compared -----------------------------------------------------------------------------------------

    def choose(self, modality: str, context_kind: str) -> Update:
        """Another modality: its drop zones and presets; the prompt, criteria and model names stay."""
        desk, chosen = self.desk, Modality(modality)
        kinds = layout.CONTEXTS.get(chosen, [])
        kind = context_kind if context_kind in [value for _, value in kinds] else ""
        return (
            self.cleared()
            | self.context(None, chosen, kind)
            | self.sides(chosen, None, None, "", "", "Write")
            | {
                desk.context_kind: gr.update(choices=kinds or [("text only", "")], value=kind, visible=bool(kinds)),
                desk.presets: layout.preset_chips(chosen),
                desk.slot_1: None,
                desk.slot_2: None,
                desk.mode: gr.update(value="Write", choices=layout.MODES, visible=chosen is Modality.TEXT),
            }
        )

    def choose_context(self, modality: str, kind: str) -> Update:
        return self.cleared() | self.context(None, Modality(modality), kind)

    def context(self, received: Received | None, modality: Modality, kind: str, message: str = "") -> Update:
        desk = self.desk
        task = Task.of(modality, Modality(kind) if kind else None)
        if received is not None:
            html = self._media("context", received, removable=True)
        else:
            html = widgets.dropzone("context", Modality(kind), self.studio.settings.limits, message) if kind else ""
        return {
            desk.badge: layout.badge(task),
            desk.pane_context: gr.update(value=html, visible=bool(kind)),
            desk.slot_context: received,
        }

    def cleared(self) -> Update:
        """No verdict on the table: what it was about is no longer what is shown."""
        desk = self.desk
        return {
            desk.session: None,
            desk.result: view.empty(layout.example_links()),
            desk.votes: gr.update(visible=False),
            desk.note: "",
        }

    # -- uploads --------------------------------------------------------------------------------------------------

    def upload(self, slot: widgets.Slot, path: str | None, modality: str, kind: str) -> Update:
        """A file arrived for one place: checked and measured at once; what is wrong is said in that place."""
        desk = self.desk
        file, kept, pane = self._place(slot)
        if path is None:
            return {file: None}
        self.studio.warm()
        wanted = self._wanted(slot, path, modality, kind)
        changed: Update = {file: None} | self.cleared()
        try:
            received = self.studio.receive(path, wanted)
            html = self._media(slot, received)
        except Exception as error:
            message = widgets.told(error)
            return changed | {
                kept: None,
                pane: gr.update(
                    value=widgets.dropzone(
                        slot, Modality(kind if slot == "context" else modality), self.studio.settings.limits, message
                    )
                ),
                desk.tools: "",
            }
        tools = {} if slot == "context" else {desk.tools: self._tools(wanted)}
        return changed | {kept: received, pane: gr.update(value=html)} | tools

    @staticmethod
    def _wanted(slot: widgets.Slot, path: str, modality: str, kind: str) -> Modality:
        wanted = Modality(kind if slot == "context" else modality)
        # Omni-RewardBench's 3D responses are rendered images, so those are welcome among 3D models
        rendered = wanted is Modality.MESH and path.lower().endswith(MODALITIES["image"].suffixes)
        return Modality.IMAGE if rendered else wanted

    def remove(self, slot: widgets.Slot, modality: str, kind: str) -> Update:
        file, kept, pane = self._place(slot)
        wanted = Modality(kind if slot == "context" else modality)
        empty = widgets.dropzone(slot, wanted, self.studio.settings.limits)
        return self.cleared() | {file: None, kept: None, pane: gr.update(value=empty)}

    def _place(self, slot: widgets.Slot) -> tuple[gr.File, gr.State, gr.HTML]:
        desk = self.desk
        return {
            "1": (desk.file_1, desk.slot_1, desk.pane_1),
            "2": (desk.file_2, desk.slot_2, desk.pane_2),
            "context": (desk.file_context, desk.slot_context, desk.pane_context),
        }[slot]

    def _media(self, slot: widgets.Slot, received: Received, removable: bool = True, anonymous: bool = False) -> str:
        return widgets.media(slot, received, self.studio.previews(received.content), removable, anonymous)

    # -- the two sides --------------------------------------------------------------------------------------------

    def sides(
        self,
        modality: Modality,
        first: Received | None,
        second: Received | None,
        text_1: str,
        text_2: str,
        mode: str,
        session: Session | None = None,
        messages: tuple[str, str] = ("", ""),
    ) -> Update:
        """Both places as they are to be seen: swapped and without names while a blind pair is being answered."""
        desk = self.desk
        hidden = session is not None and session.hidden
        flipped = session is not None and session.flipped
        names = {desk.model_1: gr.update(visible=not hidden), desk.model_2: gr.update(visible=not hidden)}
        if modality is Modality.TEXT:
            writing = mode == "Write" and not hidden
            if writing:
                panes = [widgets.counts(t, m) for t, m in zip((text_1, text_2), messages, strict=True)]
            else:
                panes = list(widgets.text_pair(*((text_2, text_1) if flipped else (text_1, text_2)), mode))
            return names | {
                desk.text_1: gr.update(visible=writing),
                desk.text_2: gr.update(visible=writing),
                desk.pane_1: panes[0],
                desk.pane_2: panes[1],
                desk.tools: "",
            }
        shown = (second, first) if flipped else (first, second)
        panes = [
            self._media(slot, received, removable=not hidden, anonymous=hidden)
            if received is not None
            else widgets.dropzone(slot, modality, self.studio.settings.limits, message)
            for slot, received, message in zip(("1", "2"), shown, messages, strict=True)
        ]
        return names | {
            desk.text_1: gr.update(visible=False),
            desk.text_2: gr.update(visible=False),
            desk.pane_1: panes[0],
            desk.pane_2: panes[1],
            desk.tools: self._tools(modality),
        }

    @staticmethod
    def _tools(modality: Modality) -> str:
        return f'<studio-tools data-kind="{modality}"></studio-tools>' if modality is not Modality.TEXT else ""

    def look(self, modality: str, text_1: str, text_2: str, mode: str, session: Session | None) -> Update:
        """Another way of looking at two texts."""
        if Modality(modality) is not Modality.TEXT:
            return {}
        return self.sides(Modality.TEXT, None, None, text_1, text_2, mode, session)
