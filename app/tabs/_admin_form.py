"""The form of one kind of job, made from the fields of its spec."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from app.job_forms import AT_ONCE, FormField, fields_of, typed
from core.jobs import KINDS


@dataclass
class KindForm:
    """The fields of one kind, in the spec's order."""

    kind: str
    group: gr.Column
    names: list[str]
    inputs: list[Any]

    def offering(self, judges: list[str]) -> dict[Any, Any]:
        """The fields that name a judge as an update, which offers these."""
        judged = {field.name for field in fields_of(self.kind) if field.shelf == "judges"}
        places = zip(self.names, self.inputs, strict=True)
        return {place: gr.update(choices=judges) for name, place in places if name in judged}

    def given(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """What stands in the fields, by name."""
        return dict(zip(self.names, values, strict=True))

    def filled(self, spec: dict[str, Any]) -> dict[Any, Any]:
        """The fields as an update, set to a spec that was kept; what it lacks goes back to its default."""
        fields = {field.name: field for field in fields_of(self.kind)}
        return {
            place: gr.update(value=_shown(fields[name], spec.get(name, fields[name].default)))
            for name, place in zip(self.names, self.inputs, strict=True)
        }


def lay_out(kind: str, visible: bool) -> KindForm:
    """Build the fields: the first eight, and the rest under "More"."""
    names, inputs = [], []
    fields = fields_of(kind)
    with gr.Column(visible=visible, elem_classes="kind-form") as group:
        gr.HTML(f'<p class="note">{escape(KINDS[kind].about)}</p>', apply_default_css=False)
        for field in fields[:AT_ONCE]:
            names.append(field.name)
            inputs.append(_component(kind, field))
        if len(fields) > AT_ONCE:
            with gr.Accordion("More", open=False):
                for field in fields[AT_ONCE:]:
                    names.append(field.name)
                    inputs.append(_component(kind, field))
    return KindForm(kind, group, names, inputs)


def _component(kind: str, field: FormField) -> Any:
    label = f"{field.label} *" if field.required else field.label
    known: dict[str, Any] = {
        "label": label,
        "info": field.help,
        "value": _shown(field, field.default),
        "elem_id": f"{kind}-{field.name}",
    }
    match field.kind:
        case "yes_no":
            return gr.Checkbox(**known)
        case "choice":
            return gr.Dropdown(choices=list(field.choices), allow_custom_value=field.open, **known)
        case _:
            # numbers too: an empty one stays empty, and 2e-6 is written as it is said
            return gr.Textbox(max_lines=1, elem_classes="wide" if field.kind == "text" else "", **known)


def _shown(field: FormField, value: Any) -> Any:
    """A value as its component takes it."""
    return value if field.kind in ("yes_no", "choice") else typed(value) or ""
