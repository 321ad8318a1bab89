"""Data that an ONNX model keeps outside its file comes from the teacher's folder, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tests.fakes import folder_of
from tests.teachers.fixtures import COLOURS, SIDE_PX, colour_card
from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.onnx_network import OnnxNetwork
from xmodal_kedro.teachers.onnx_external import external_locations, file_in_folder
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files

BIAS = np.array([0.1, 0.2, 0.3], np.float32)


def external(tensor: TensorProto, location: str) -> TensorProto:
    """The tensor, whose data is said to be at a location."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def write_teacher(folder: Path, location: str, name: str = "colour.onnx") -> None:
    """A colour teacher that adds a bias, which is at the location."""
    bias = external(numpy_helper.from_array(BIAS, "bias"), location)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["means"], keepdims=0),
            helper.make_node("Add", ["means", "bias"], ["sums"]),
            helper.make_node("Clip", ["sums", "low", "high"], ["scores"]),
        ],
        "biased",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            *(numpy_helper.from_array(np.float32(end), each) for each, end in (("low", 0), ("high", 1))),
            bias,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(model.SerializeToString())
    (folder / "colours.txt").write_text("\n".join(COLOURS))


def scores_of(folder: Path, **card: str) -> np.ndarray:
    of = colour_card(**card)
    teacher = open_teacher.__wrapped__(of, teacher_files(of, folder_of(folder)), "cpu")
    return teacher.scores([np.zeros((3, SIDE_PX, SIDE_PX), np.float32)])[0]


def test_external_data_in_the_folder_is_used_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_teacher(tmp_path / "teacher", "weights/bias.bin")
    (tmp_path / "teacher" / "weights").mkdir()
    (tmp_path / "teacher" / "weights" / "bias.bin").write_bytes(BIAS.tobytes())
    (tmp_path / "here" / "weights").mkdir(parents=True)
    (tmp_path / "here" / "weights" / "bias.bin").write_bytes(np.zeros(3, np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "here")
    np.testing.assert_allclose(scores_of(tmp_path / "teacher"), BIAS)
    before = teacher_files(colour_card(), folder_of(tmp_path / "teacher"))
    assert [file.name for file in before.weights] == ["colour.onnx", "weights/bias.bin"]
    model, data = (file.fingerprint for file in before.weights)
    (tmp_path / "teacher" / "weights" / "bias.bin").write_bytes((BIAS + 0.25).astype(np.float32).tobytes())
    os.utime(tmp_path / "teacher" / "weights" / "bias.bin", (1, 1))
    np.testing.assert_allclose(scores_of(tmp_path / "teacher"), BIAS + 0.25)
    after = teacher_files(colour_card(), folder_of(tmp_path / "teacher"))
    assert after.weights[0].fingerprint == model
    assert after.weights[1].fingerprint != data


def test_a_model_in_a_folder_of_its_own_has_its_data_beside_it(tmp_path: Path) -> None:
    write_teacher(tmp_path, "../bias.bin", name="deep/colour.onnx")
    (tmp_path / "bias.bin").write_bytes(BIAS.tobytes())
    np.testing.assert_allclose(scores_of(tmp_path, weights="deep/colour.onnx"), BIAS)


@pytest.mark.parametrize("location", ["../bias.bin", "OUTSIDE/bias.bin", "a/../../bias.bin", "link.bin", ""])
def test_data_outside_the_folder_is_refused(tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bias.bin").write_bytes(BIAS.tobytes())
    write_teacher(tmp_path / "teacher", location.replace("OUTSIDE", str(tmp_path)))
    (tmp_path / "teacher" / "link.bin").symlink_to(tmp_path / "bias.bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not in the teacher's folder") as raised:
        check_teacher(colour_card(), folder_of(tmp_path / "teacher"), "cpu")
    assert "colour.onnx" in str(raised.value)


def test_data_that_is_missing_in_the_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_teacher(tmp_path / "teacher", "bias.bin")
    (tmp_path / "bias.bin").write_bytes(BIAS.tobytes())
    monkeypatch.chdir(tmp_path)  # where onnxruntime would find it
    with pytest.raises(FileNotFoundError, match=r"bias\.bin.*put it there"):
        teacher_files(colour_card(), folder_of(tmp_path / "teacher"))


def test_an_exported_network_refers_to_nothing(tmp_path: Path) -> None:
    write_teacher(tmp_path, "bias.bin")
    (tmp_path / "bias.bin").write_bytes(BIAS.tobytes())
    with pytest.raises(UserError, match=r"refers to data in 'bias.bin'"):
        OnnxNetwork(tmp_path / "colour.onnx", "cpu")


def everywhere() -> onnx.ModelProto:
    """A model with a tensor in each place that ONNX has for one, each with a location of its own."""
    numbers = iter(range(1, 100))

    def tensor() -> TensorProto:
        return external(numpy_helper.from_array(BIAS, "x"), f"{next(numbers)}.bin")

    def sparse() -> onnx.SparseTensorProto:
        return onnx.SparseTensorProto(values=tensor(), indices=tensor(), dims=[3])

    def graph(nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
        return onnx.GraphProto(node=nodes, initializer=[tensor()], sparse_initializer=[sparse()])

    attributes = [
        AttributeProto(name="t", t=tensor()),
        AttributeProto(name="ts", tensors=[tensor(), tensor()]),
        AttributeProto(name="s", sparse_tensor=sparse(), sparse_tensors=[sparse()]),
        AttributeProto(name="g", g=graph([]), graphs=[graph([onnx.NodeProto(attribute=[AttributeProto(t=tensor())])])]),
    ]
    node = onnx.NodeProto(attribute=attributes)
    function = onnx.FunctionProto(node=[onnx.NodeProto(attribute=[AttributeProto(t=tensor())])])
    function.attribute_proto.append(AttributeProto(t=tensor()))
    training = onnx.TrainingInfoProto(initialization=graph([]), algorithm=graph([]))
    return onnx.ModelProto(graph=graph([node]), functions=[function], training_info=[training], ir_version=9)


def test_every_place_of_a_tensor_is_looked_at(tmp_path: Path) -> None:
    model = everywhere()
    written = model.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(written)
    found = external_locations(str(tmp_path / "model.onnx"))
    assert len(found) == written.count(b".bin") > 20


def test_a_file_whose_parts_come_in_several_pieces_is_read_as_protobuf_merges_them(tmp_path: Path) -> None:
    pieces = [
        onnx.ModelProto(graph=onnx.GraphProto(initializer=[external(numpy_helper.from_array(BIAS), f"{each}.bin")]))
        for each in "ab"
    ]
    (tmp_path / "model.onnx").write_bytes(b"".join(piece.SerializeToString() for piece in pieces))
    assert external_locations(str(tmp_path / "model.onnx")) == ("a.bin", "b.bin")


@given(st.binary(min_size=1, max_size=64))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            assert all(isinstance(found, str) for found in external_locations(file.name))
        except ValueError as error:
            assert "ONNX" in str(error)


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("b.bin", "m/b.bin"),
        ("./b.bin", "m/b.bin"),
        ("../b.bin", "b.bin"),
        ("../../b.bin", None),
        ("/b.bin", None),
        ("c:b.bin", None),
        ("..\\b.bin", None),
        ("", None),
        ("a/../../..", None),
        (".", "m"),
    ],
)
def test_a_location_is_relative_to_its_model(location: str, name: str | None) -> None:
    assert file_in_folder("m/model.onnx", location) == name
