import numpy as np
import torch

from medunet.networks.marginal import find_marginal_entropy, measure_overlap, split_codes
from medunet.partial import pack_unknown


def test_what_was_packed_comes_out_of_a_label_map_of_any_size() -> None:
    unknown = [(2, 16, 17, 40), ()]
    codes = torch.tensor(np.stack([pack_unknown(values, 3) for values in unknown]))
    label = torch.cat([torch.full((2, 1, 4, 5), 7.0), codes[:, :, None, None].expand(2, 3, 4, 5)], 1)
    for size in (slice(None), slice(0, 2)):
        values, found = split_codes(label[..., size])
        assert float(values.unique()) == 7
        assert [tuple((row.nonzero()[:, 0] + 1).tolist()) for row in found] == unknown


def test_a_voxel_of_no_known_label_has_the_sum_of_what_it_may_be() -> None:
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))[..., None].expand(1, 4, 3)
    values = torch.tensor([[0, 1, 3]])
    unknown = torch.tensor([[False, True, False]])
    found = torch.exp(-find_marginal_entropy(logits.log_softmax(1), values, unknown))
    torch.testing.assert_close(found, torch.tensor([[0.1 + 0.3, 0.2, 0.4]]))


def test_volumes_are_those_of_products_with_a_channel_a_label() -> None:
    torch.manual_seed(0)
    shares = torch.randn(3, 4, 5, 6).softmax(1)
    values = torch.randint(0, 4, (3, 5, 6))
    known = (torch.rand(3, 1, 5, 6) < 0.8).float()
    whole = torch.tensor([[True, False, True], [True, True, False], [False, True, False]])
    wanted = torch.stack([values == value for value in (1, 2, 3)], 1).float()
    seen = known * whole[:, :, None, None]
    products = [(part * seen).sum((0, 2, 3)) for part in (shares[:, 1:] * wanted, shares[:, 1:], wanted)]
    values = (values[:, None] * known)[:, 0].long()
    for found, product in zip(measure_overlap(shares, values, known, whole), products, strict=True):
        torch.testing.assert_close(found, product)
