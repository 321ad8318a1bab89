"""The reference of all parameters from their types: `python -m xmodal_kedro.cli.reference > docs/reference.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from xmodal_kedro import params
from xmodal_kedro.params.teachers import PromptedClass

SECTIONS: dict[str, type[params.Params]] = {
    "ingest": params.IngestParams,
    "clip": params.ClipParams,
    "near_duplicates": params.NearDuplicateParams,
    "visual_teacher": params.VisualTeacherCard,
    "visual_label": params.LabelParams,
    "audio_teacher": params.AudioTeacherCard,
    "audio_label": params.AudioLabelParams,
    "merge_labels": params.MergeParams,
    "review": params.ReviewParams,
    "train": params.TrainParams,
    "transfer_eval": params.TransferParams,
    "embed": params.EmbedParams,
    "adapt": params.AdaptParams,
    "compare": params.CompareParams,
    "export_events": params.ExportEventsParams,
    "export_labels": params.ExportLabelsParams,
    "export_map": params.ExportMapParams,
    "export_dataset": params.ExportDatasetParams,
    "sample": params.SampleParams,
}
"""Every `params:` input of a pipeline, in the order of the main pipelines."""

OPENING = """# Reference of parameters

Written from the types in [`params/`](../src/xmodal_kedro/params) by `python -m xmodal_kedro.cli.reference`: change it
there.

Parameters are in `conf/base/parameters/`, an environment's own in `conf/ENV/parameters/`; one run may take others:
`--params "train.epochs=5,train.model=resnet50"`. What is wrong is reported before anything runs. "Default" is what
holds where no file says otherwise, and `conf/base` says it for most.
"""


def render() -> str:
    """The page."""
    parts = [OPENING]
    for name, model in SECTIONS.items():
        parts.append(f"## `{name}`\n")
        parts.append("| field | takes | default | meaning |\n|---|---|---|---|")
        parts[-1] += "".join(f"\n| {' | '.join(row)} |" for row in rows(name, model)) + "\n"
    return "\n".join(parts)


def rows(name: str, model: type[params.Params]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each field; nested fields have their full names."""
    for field, info in model.model_fields.items():
        nested = list(dict.fromkeys(_nested(info.annotation)))
        for inner in nested:
            of_kind = f"Of kind `{_kind_of(inner)}`. " if len(nested) > 1 else ""
            for path, takes, default, meaning in rows(f"{name}.{field}", inner):
                yield path, takes, default, (of_kind + meaning).strip()
        if not nested:
            yield f"`{name}.{field}`", _type_of(info), _default_of(info), _plain(info.description or "")


def _nested(annotation: Any) -> Iterator[type[params.Params]]:
    """The parameter classes that a field may hold. Classes with prompts are written as a mapping."""
    if annotation is PromptedClass:
        return
    if isinstance(annotation, type) and issubclass(annotation, params.Params):
        yield annotation
    for inner in get_args(annotation):
        yield from _nested(inner)


def _kind_of(model: type[params.Params]) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def _type_of(info: FieldInfo) -> str:
    shown = _name_of(info.annotation)
    limits = {"Ge": "≥ {0.ge}", "Gt": "> {0.gt}", "Le": "≤ {0.le}", "Lt": "< {0.lt}", "MultipleOf": "× {0.multiple_of}"}
    bounds = [limits[type(limit).__name__].format(limit) for limit in info.metadata if type(limit).__name__ in limits]
    return _plain(", ".join([shown, *bounds]))


def _name_of(annotation: Any) -> str:
    choices = get_args(annotation)
    if PromptedClass in choices:
        return "mapping of names to a str or a list of str"
    if not choices:
        return "null" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
    if all(isinstance(choice, str) for choice in choices):
        return " or ".join(f"`{choice}`" for choice in choices)
    if Ellipsis in choices or getattr(annotation, "__origin__", None) is tuple:
        return f"list of {_name_of(choices[0])}"
    if hasattr(annotation, "__metadata__"):
        return _name_of(choices[0])
    return " or ".join(_name_of(choice) for choice in choices)


def _default_of(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    return f"`{json.dumps(info.get_default(call_default_factory=True))}`"


def _plain(text: str) -> str:
    """On one line, with escaped cell separators."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
