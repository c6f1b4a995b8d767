"""Seconds of one scan by stage in nnU-Net's predictor, run by the Python of `make nnunet-env`; nothing of ours.

    python workflows/peers/nnunet_stages.py JOB.json ANSWER.json

`predict_speed.py` writes the job: the scan, spacing, patch, features and classes of the network, and how many windows
are computed. Reading, cropping, resampling, window, way back and writing are nnU-Net's own, with the plan that it makes
of a CT; weights are random, mirroring is off.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

Job = dict[str, Any]
UNITS = "dynamic_network_architectures.architectures.unet.PlainConvUNet"


class Watched(nn.Module):
    """Times a network, and repeats its last logits after so many windows."""

    def __init__(self, network: nn.Module, most: int | None) -> None:
        super().__init__()
        self.network, self.most = network, most
        self.seconds, self.computed, self.windows = 0.0, 0, 0
        self.last: torch.Tensor | None = None

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Logits of one patch."""
        self.windows += 1
        if self.last is not None and self.most is not None and self.computed >= self.most:
            return self.last.clone()
        started = time.perf_counter()
        found: torch.Tensor = self.network(patches)
        self.seconds += time.perf_counter() - started
        self.computed += 1
        # The predictor weighs them in place.
        self.last = found.clone()
        return found


def main() -> int:
    """Do the job and write the answer."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.manual_seed(0)
    Path(sys.argv[2]).write_text(json.dumps(time_stages(job)), encoding="utf-8")
    return 0


def time_stages(job: Job) -> list[float]:
    """Seconds of reading and preparing, of the network for all windows, of the way back, and of writing."""
    manager = PlansManager(make_plans(job))
    configuration = manager.get_configuration("3d_fullres")
    names = {"background": 0} | {f"organ {n}": n for n in range(1, job["classes"])}
    dataset = {"channel_names": {"0": "CT"}, "labels": names, "file_ending": ".nii.gz"}
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        job["classes"],
        deep_supervision=False,
    ).eval()
    watch = Watched(network, job["windows"])
    predictor = nnUNetPredictor(
        tile_step_size=1 - job["overlap"], use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.manual_initialization(watch, manager, configuration, [watch.state_dict()], dataset, "none", None)
    times = [time.perf_counter()]
    data, _, properties = configuration.preprocessor_class(verbose=False).run_case(
        [job["scan"]], None, manager, configuration, dataset
    )
    times.append(time.perf_counter())
    logits = predictor.predict_logits_from_preprocessed_data(torch.as_tensor(data))
    labels = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, manager, configuration, predictor.label_manager, properties
    )
    times.append(time.perf_counter())
    manager.image_reader_writer_class().write_seg(labels, job["out"], properties)
    times.append(time.perf_counter())
    both = times[2] - times[1]
    return [times[1] - times[0], watch.seconds / watch.computed * watch.windows, both - watch.seconds,
            times[3] - times[2]]  # fmt: skip


def make_plans(job: Job) -> Job:
    """The plan as nnU-Net writes it for a CT, with the network that is wanted."""
    depth = len(job["features"])
    spacing, patch = [job["spacing"]] * 3, [job["patch"]] * 3
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    blocks = {
        **{"n_stages": depth, "features_per_stage": job["features"]},
        **{"conv_op": "torch.nn.modules.conv.Conv3d", "kernel_sizes": [[3] * 3] * depth},
        **{"strides": [[1] * 3] + [[2] * 3] * (depth - 1), "n_conv_per_stage": [2] * depth},
        **{"n_conv_per_stage_decoder": [2] * (depth - 1), "conv_bias": True},
        **{"norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"eps": 1e-5, "affine": True}},
        **{"dropout_op": None, "dropout_op_kwargs": None},
        **{"nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True}},
    }
    full = {
        **{"data_identifier": "none", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2},
        **{"patch_size": patch, "median_image_size_in_voxels": patch, "spacing": spacing, "batch_dice": False},
        **{"normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False]},
        **{"resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": resampling},
        **{"resampling_fn_seg": "resample_data_or_seg_to_shape"},
        "resampling_fn_seg_kwargs": resampling | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampling | {"order": 1},
        "architecture": {
            **{"network_class_name": UNITS, "arch_kwargs": blocks},
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    values = {"mean": 0.0, "std": 400.0, "median": 0.0, "min": -1000.0, "max": 1000.0}
    return {
        **{"dataset_name": "none", "plans_name": "none", "image_reader_writer": "NibabelIO"},
        **{"original_median_spacing_after_transp": spacing, "original_median_shape_after_transp": patch},
        **{"transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2], "label_manager": "LabelManager"},
        **{"experiment_planner_used": "ExperimentPlanner"},
        "foreground_intensity_properties_per_channel": {
            "0": values | {"percentile_00_5": -950.0, "percentile_99_5": 250.0}
        },
        "configurations": {"3d_fullres": full},
    }


if __name__ == "__main__":
    sys.exit(main())
