import torch

from medunet.networks import AutocastInferer, choose_precision, find_vram


def test_precision_follows_the_flags_of_the_processor() -> None:
    flags = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert choose_precision(torch.device("cpu")) == (torch.bfloat16 if flags else torch.float32)


def test_logits_come_back_in_float32_single_or_as_a_list() -> None:
    layer = torch.nn.Conv3d(1, 2, 1)
    image = torch.randn(1, 1, 4, 4, 4)
    infer = AutocastInferer()
    assert infer(image, layer).dtype == torch.float32
    both = infer(image, lambda x: [layer(x), layer(x)])
    assert [level.dtype for level in both] == [torch.float32] * 2
    assert torch.allclose(both[0], layer(image), atol=0.05)


def test_an_inner_inferer_runs_the_network() -> None:
    seen = []

    def inner(inputs: torch.Tensor, network: torch.nn.Module) -> torch.Tensor:
        seen.append(inputs.shape)
        return network(inputs)

    AutocastInferer(inner)(torch.zeros(1, 1, 4, 4, 4), torch.nn.Identity())  # type: ignore[arg-type]
    assert seen == [(1, 1, 4, 4, 4)]


def test_memory_of_a_gpu_is_known_where_there_is_one() -> None:
    vram = find_vram()
    assert (vram is not None) == torch.cuda.is_available()
    assert vram is None or vram > 0
