import pytest
import torch
from streams import LocalBackend

from medunet.inference.backends import Backend, TorchBackend, Traits
from medunet.inference.backends.interface import EXACT_BOUND


@pytest.mark.parametrize(("bound", "exact"), [(0.0, True), (EXACT_BOUND, True), (0.05, False)])
def test_a_backend_is_exact_whose_bound_is_rounding(bound: float, exact: bool) -> None:
    traits = Traits("own", "cpu", "float32", bound, 2, 4, lambda patch, batch: batch * patch[0])
    assert traits.exact == exact


def test_what_keeps_the_contract_is_a_backend() -> None:
    assert isinstance(TorchBackend(torch.device("cpu")), Backend)
    assert not isinstance(object(), Backend)


def test_a_context_closes_the_backend_also_after_an_error() -> None:
    closed = []

    class Own(LocalBackend):
        def close(self) -> None:
            closed.append(True)

    with pytest.raises(ValueError, match="within"), Own() as backend:
        assert isinstance(backend, Own)
        raise ValueError("within")
    assert closed == [True]
