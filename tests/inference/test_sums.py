from pathlib import Path

import pytest
import torch
from streams import LocalBackend, assemble_whole, follow_live_bytes

from medunet.inference.assemble import Assembly, assemble_planes
from medunet.inference.sums import Sums, count_sums
from medunet.scratch import Scratch


@pytest.mark.parametrize("held", [0, 1, 3, 5, None])
def test_sums_in_a_file_are_those_in_memory(tmp_path: Path, held: int | None) -> None:
    image = torch.randn(1, 22, 15, 9, generator=torch.Generator().manual_seed(0))
    whole = assemble_whole(image, LocalBackend(5), (8, 6, 5), 0.5)
    with Scratch(tmp_path) as room:
        how = Assembly(room=room, held=held)
        planes = list(assemble_planes(image, LocalBackend(5), (8, 6, 5), 0.5, "test", how))
        assert room.size == 4 * (5 - (5 if held is None else held)) * 8 * 15 * 9
    assert torch.equal(torch.stack(planes, dim=1), whole)


def test_memory_is_what_was_counted() -> None:
    shape, logits, weight = (6, 16, 30, 20), torch.ones(6, 16, 16, 16), torch.ones(16, 16, 16)
    with follow_live_bytes() as live:
        sums = Sums(shape)
        sums.add((slice(0, 16), slice(0, 16)), logits, weight)
        for _ in sums.hand_on(4):
            pass
    assert live.peak - logits.nbytes - 2 * weight.nbytes <= count_sums(shape, 6)
    assert count_sums(shape, 0) < count_sums(shape, 6) / 2
