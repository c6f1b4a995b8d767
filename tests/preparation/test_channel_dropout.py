import pytest
import torch

from medunet.preparation import RandDropChanneld


def test_one_channel_with_all_its_components_is_left_out() -> None:
    drop = RandDropChanneld(["image"], channels=[0, 1, 4], prob=1.0).set_random_state(0)
    image = torch.ones((5, 4, 4))
    seen = {tuple(drop({"image": image})["image"][:, 0, 0].tolist()) for _ in range(40)}
    assert seen == {(0, 1, 1, 1, 1), (1, 0, 0, 0, 1), (1, 1, 1, 1, 0)}
    assert image.min() == 1


@pytest.mark.parametrize(("channels", "prob"), [([0], 1.0), ([0, 1], 0.0)])
def test_a_single_channel_stays(channels: list[int], prob: float) -> None:
    drop = RandDropChanneld(["image"], channels=channels, prob=prob).set_random_state(0)
    assert all(drop({"image": torch.ones((2, 4, 4))})["image"].min() == 1 for _ in range(20))
