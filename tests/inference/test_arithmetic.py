"""Arithmetic: the reference is the same to the last bit and leaves no trace; devices are those that are here."""
# ruff: noqa: E402 - what the imports need may not be installed

import pytest

pytest.importorskip("torch")

import torch

from difficulty_inference.arithmetic import FLOAT32, REFERENCE, Arithmetic, arithmetic_on, devices_here, reproducible
from difficulty_model.errors import InputError

CPU = torch.device("cpu")


def settings() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return (
        torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        cudnn.benchmark, cudnn.allow_tf32, torch.is_autocast_enabled("cpu"),
    )


@pytest.mark.parametrize("precision", [REFERENCE, FLOAT32, "bfloat16"])
def test_settings_are_as_before_after_the_block_even_if_it_fails(precision):
    before, arithmetic = settings(), Arithmetic(CPU, precision)

    def fails() -> None:
        with arithmetic.applied():
            assert settings() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert settings() == before


def test_the_reference_is_deterministic_on_one_thread_in_full_precision():
    with Arithmetic(CPU, REFERENCE).applied():
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cudnn.benchmark
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_the_reference_refuses_what_is_not_deterministic():
    with reproducible(), pytest.raises(RuntimeError, match="deterministic"):
        torch.nn.functional.max_unpool2d(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1, dtype=torch.int64), [2, 2])


def test_the_reference_gives_one_answer_whatever_the_number_of_threads():
    x = torch.randn(300, 4001, generator=torch.Generator().manual_seed(0))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with reproducible():
                found.append((x @ x.T).sum() + x.sum())
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_mixed_precision_computes_products_in_it_and_the_reference_does_not():
    with Arithmetic(CPU, "bfloat16").applied():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Arithmetic(CPU, FLOAT32).applied():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_processor_computes_in_float32_unless_the_reference_is_asked_for():
    assert arithmetic_on("cpu", reference=False) == Arithmetic(CPU, FLOAT32)
    assert arithmetic_on("cpu", reference=True) == Arithmetic(CPU, REFERENCE)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(name):
    with pytest.raises(InputError, match="available here.*" + devices_here()[0]) as told:
        arithmetic_on(name, reference=False)
    assert "\n" not in str(told.value)
