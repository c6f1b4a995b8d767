"""Parts of bundles in the styles of MONAI's zoo, with tiny networks."""

from typing import Any

from zoo import INVERT, NEAREST, UNET, oriented

LOAD, FIRST = {"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}
SCALE_ALL = {"_target_": "ScaleIntensityd", "keys": "image"}
SEGRESNET = {
    **{"_target_": "SegResNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 105, "init_filters": 8},
    **{"blocks_down": [1, 1], "blocks_up": [1], "dropout_prob": 0.2},
}
SWIN = {
    **{"_target_": "SwinUNETR", "spatial_dims": 3, "img_size": 96, "in_channels": 1, "out_channels": 4},
    **{"feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 2], "use_checkpoint": False},
}
SIGMOID = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
JOIN = "$lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, torch.where(x[[1]] > 0, 2, 0)))"
STYLES: dict[str, dict[str, Any]] = {
    "spleen": {},
    "whole body": {
        "network": SEGRESNET,
        "chain": [  # no voxel lies half way between two of the other grid, where rounding decides
            *[LOAD, {"_target_": "EnsureTyped", "keys": "image"}, *oriented((3.0, 3.0, 2.9))[1:4]],
            {"_target_": "NormalizeIntensityd", "keys": "@image_key", "nonzero": True},
            {"_target_": "ScaleIntensityd", "keys": "@image_key", "minv": -1.0, "maxv": 1.0},
        ],
        "post": NEAREST,
        "options": {"highres": True},
        "inferer": {
            **{"_target_": "SlidingWindowInferer", "roi_size": [24, 24, 24], "sw_batch_size": 1, "overlap": 0.25},
            **{"padding_mode": "replicate", "mode": "gaussian"},
            "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        },
    },
    "short axis": {
        "network": {**UNET, "spatial_dims": 2, "out_channels": 4},
        "chain": [
            *[{**LOAD, "image_only": False}, FIRST, SCALE_ALL],
            {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
        ],
        "inferer": {"_target_": "SliceInferer", "roi_size": [32, 32], "spatial_dim": 2},
    },
    "cropped": {
        "chain": oriented((3.0, 3.0, 4.0), {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}),
    },
    "sigmoid, whole": {
        "network": {**UNET, "out_channels": 1},
        "chain": oriented((3.0, 3.0, 4.0), {"_target_": "DivisiblePadd", "keys": "image", "k": 4}),
        "post": [SIGMOID, INVERT, {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}],
        "inferer": {"_target_": "SimpleInferer"},
    },
}
