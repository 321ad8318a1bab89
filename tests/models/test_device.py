from __future__ import annotations

import pytest
import torch

from xmodal_kedro.models.device import choose_device, mixed_precision


def test_auto_takes_cuda_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto", "train.device").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto", "train.device").type == "cuda"
    assert choose_device("cpu", "train.device").type == "cpu"


def test_cuda_that_is_not_there_is_an_error_that_names_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"train\.device is cuda.*set it to auto or cpu"):
        choose_device("cuda", "train.device")


@pytest.mark.parametrize(("capable", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_only_with_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, capable: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": capable})
    with mixed_precision(torch.device("cpu"), "float32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with mixed_precision(torch.device("cpu")):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype
