import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from tests.fakes import folder_of
from tests.teachers.fixtures import COLOURS, jpeg
from xmodal_kedro.params import ImageInput, VisualTeacherCard
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.preprocess import image_batch

SPEC = ImageInput(kind="image", resize_px=64, crop_px=64)


def card(weights: str = "net.safetensors", **changes: Any) -> VisualTeacherCard:
    stated = {"backend": "torchvision", "network": "mobilenet_v3_small", "weights": weights, "labels": "colours.txt"}
    return VisualTeacherCard.model_validate(
        {"input": SPEC.model_dump(), "output": {"activation": "softmax"}, **stated, **changes}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = models.mobilenet_v3_small(weights=None, num_classes=len(COLOURS)).eval()
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    torch.save(network.state_dict(), tmp_path / "net.pth")
    (tmp_path / "colours.txt").write_text("\n".join(COLOURS))
    return tmp_path


@pytest.mark.parametrize("weights", ["net.safetensors", "net.pth"])
def test_images_score_as_in_the_network(folder: Path, weights: str) -> None:
    network = models.mobilenet_v3_small(weights=None, num_classes=len(COLOURS)).eval()
    network.load_state_dict(torch.load(folder / "net.pth", weights_only=True))
    check_teacher(card(weights), folder_of(folder))
    teacher = open_teacher(card(weights), teacher_files(card(weights), folder_of(folder)), "cpu")
    jpegs = [jpeg(255, 0, 0), jpeg(0, 90, 255)]
    with torch.inference_mode():
        expected = network(torch.from_numpy(image_batch(jpegs, SPEC))).softmax(1).numpy()
    assert teacher.labels == COLOURS
    np.testing.assert_allclose(teacher.scores(teacher.rows(jpegs)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"network": "mobilenet_v9"}, "torchvision has no classifier 'mobilenet_v9': set the card's network to one of"),
        ({"network": "fcn_resnet50"}, "torchvision has no classifier 'fcn_resnet50'"),
        ({"network": "squeezenet1_0"}, "does not hold a squeezenet1_0 with the 3 classes of 'colours.txt'"),
        ({"labels": "four.txt"}, "does not hold a mobilenet_v3_small with the 4 classes of 'four.txt'"),
        ({"input": SPEC.model_dump() | {"layout": "NHWC"}}, "set input.layout to NCHW"),
        ({"input": SPEC.model_dump() | {"dtype": "uint8"}}, "input.dtype to float32"),
    ],
)
def test_a_card_that_does_not_fit_its_weights_is_refused(folder: Path, changes: dict[str, Any], complaint: str) -> None:
    (folder / "four.txt").write_text("red\ngreen\nblue\nblack")
    with pytest.raises(ValueError, match=complaint):
        check_teacher(card(**changes), folder_of(folder))


class Bomb:
    """What a pickle may do when it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_that_holds_code_is_refused_without_running_it(folder: Path) -> None:
    for content in (pickle.dumps(Bomb(folder / "ran")), _torch_file(Bomb(folder / "ran"))):
        (folder / "net.pth").write_bytes(content)
        with pytest.raises(ValueError, match="'net.pth' does not hold a mobilenet_v3_small"):
            check_teacher(card("net.pth"), folder_of(folder))
    assert not (folder / "ran").exists()


def _torch_file(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
