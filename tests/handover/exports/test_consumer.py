"""What a program must do around an exported network stands in its JSON, and is enough to predict with."""

from pathlib import Path

from medunet.bundle import make_recipe, open_bundle
from medunet.handover.exports.consumer import describe_decision, describe_tensors, describe_window

ROOT = Path(__file__).parents[3] / "bundles"


def test_what_is_said_of_both_shipped_bundles() -> None:
    sarcoma = make_recipe(open_bundle(ROOT / "sts_petct_unet3d"))
    goes_in, comes_out = describe_tensors(sarcoma, ("image", "logits"))
    assert (goes_in.axes, goes_in.channels) == ("B, C, I, J, K", ("ct", "pet"))
    assert comes_out.channels == ("background", "GTV_Mass_CT")
    window = describe_window(sarcoma, 16)
    assert (window.patch, window.multiple_of, window.slices_across) == ((56, 56, 40), 8, None)
    assert describe_decision(sarcoma).restored == "linear"
    nuclei = make_recipe(open_bundle(ROOT / "nuclei_unet2d"))
    assert describe_tensors(nuclei, ("a", "b"))[0].axes == "B, C, I, J"
    assert describe_window(nuclei, 64).patch == (256, 256)
    assert describe_window(nuclei, 64).slices_across == 2
    assert describe_decision(nuclei).objects
    assert describe_decision(nuclei).values == (0, 1, 2)
