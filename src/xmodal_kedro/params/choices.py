"""What is chosen by name: networks, backends of teachers, benchmarks. A new one takes a file, and a line here.

Each value is a path, `module:attribute`, that is imported when it is used: every command line checks parameters, and
must not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

BACKBONES = {
    "vggish": "xmodal_kedro.models.vggish:VGGish",
    "vggish_plus": "xmodal_kedro.models.vggish_plus:VGGishPlus",
    "resnet50": "xmodal_kedro.models.resnet50:ResNet50",
    "mobilenet_v2": "xmodal_kedro.models.mobilenet_v2:MobileNetV2",
}
"""Networks, by `train.model`."""

TEACHER_BACKENDS = {
    "onnx": "xmodal_kedro.teachers.onnx_backend:OnnxTeacher",
    "transformers": "xmodal_kedro.teachers.transformers_backend:TransformersTeacher",
    "contrastive": "xmodal_kedro.teachers.contrastive_backend:ContrastiveTeacher",
    "torchvision": "xmodal_kedro.teachers.torchvision_backend:TorchvisionTeacher",
    "sample": "xmodal_kedro.teachers.sample_backend:SampleTeacher",
}
"""Backends that run a teacher, by `backend` in its card."""

BENCHMARKS = {
    "esc50": "xmodal_kedro.evaluation.benchmarks.esc50:ESC50",
    "esc10": "xmodal_kedro.evaluation.benchmarks.esc50:ESC10",
    "urbansound8k": "xmodal_kedro.evaluation.benchmarks.urbansound8k:URBANSOUND8K",
    "tut_urban_2018": "xmodal_kedro.evaluation.benchmarks.tut_urban_2018:TUT_URBAN_2018",
    "litis_rouen": "xmodal_kedro.evaluation.benchmarks.litis_rouen:LITIS_ROUEN",
    "csv": "xmodal_kedro.evaluation.benchmarks.csv_folds:OWN_SOUNDS",
}
"""Benchmarks, by `transfer_eval.benchmark`."""


def chosen(places: dict[str, str], name: str) -> Any:
    """Import the object that is registered under a name.

    Raises:
        KeyError: if the name is not registered.
    """
    module, _, attribute = places[name].partition(":")
    return getattr(import_module(module), attribute)
