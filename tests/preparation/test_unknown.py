import torch

from medunet.preparation import HideUnknownd


def test_regions_with_a_label_that_nobody_looked_for_leave_the_truth() -> None:
    hide = HideUnknownd(["label"], [[1, 2, 3], [2, 3], [1]])
    label = torch.ones(4, 2, 2, 2)
    kept = label.clone()
    found = hide({"label": label, "pred": label, "unknown": torch.tensor([3, 0])})
    assert found["label"].flatten(1).amax(1).tolist() == [1, 0, 0, 1]
    assert torch.equal(found["pred"], kept)
    assert torch.equal(label, kept)
    for unknown in ({}, {"unknown": torch.tensor([0, 0])}):
        assert torch.equal(hide({"label": label, **unknown})["label"], kept)
