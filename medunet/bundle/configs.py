"""From a plan to the JSON files that `monai.bundle run` takes where medunet isn't installed.

`inference.json` and `evaluate.json` name MONAI, Ignite and torch only. Files that need medunet, those of training,
are made by whoever runs them; `Makers` hands them to a bundle's folder.
"""

from collections.abc import Callable, Mapping
from typing import Any

from medunet.bundle.ensemble import Files, average_logits, load_files, make_networks
from medunet.bundle.expressions import (
    IMPORTS,
    check_places,
    find_endings,
    find_root,
    list_images,
    list_labels,
    refuse_nan,
    refuse_nan_logits,
)
from medunet.bundle.targets import make_metric, make_one_hot, make_scoring
from medunet.networks import make_network
from medunet.planning import Plan
from medunet.postprocessing import PartsPlan, plan_cleaning
from medunet.preparation import (
    make_cleaning,
    make_decision,
    make_orientation,
    make_preprocessing,
    make_restoring,
)

Config = dict[str, Any]
Makers = Mapping[str, Callable[[Plan], Config]]
"""Names of configurations, like `train.json`, and what makes each from a plan."""
DEVICE = "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')"
INFERENCE_KEYS = (
    *("imports", "bundle_root", "output_dir", "dataset_dir", "device", "network_def", "network", "inferer"),
    *("datalist", "preprocessing", "dataset", "dataloader", "postprocessing", "handlers", "evaluator"),
    *("initialize", "run"),
)
"""Keys of `inference.json`; a bundle that has others, or lacks one, is refused."""
ENSEMBLE_KEYS = tuple(
    name for key in INFERENCE_KEYS for name in (("network_defs", "networks") if key == "network" else (key,))
)
"""The same where the networks of several folds are averaged."""


def make_inferer(plan: Plan) -> Config:
    """MONAI's sliding window over a prepared volume; slice by slice for a 2D network."""
    dims, window = plan.network.dims, plan.window
    slices = {"_target_": "SliceInferer", "spatial_dim": 2} if dims == 2 else {"_target_": "SlidingWindowInferer"}
    return {
        **slices,
        "roi_size": list(window.patch[:dims]),
        "sw_batch_size": 4 if dims == 2 else 2,
        "overlap": window.overlap,
        "mode": window.mode,
    }


def _make_stock_inferer(plan: Plan) -> Config:
    """The same for MONAI alone, to which a picture has two axes."""
    inferer = make_inferer(plan)
    if plan.task.unit == "px":
        del inferer["spatial_dim"]
        inferer["_target_"] = "SlidingWindowInferer"
    return inferer


def _make_common(plan: Plan, name: str, files: Files) -> Config:
    return {
        "imports": IMPORTS,
        "bundle_root": find_root(name),
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "$@bundle_root + '/dataset'",
        "device": DEVICE,
        "network_def": make_network(plan),
        **make_networks(files),
        "inferer": _make_stock_inferer(plan),
    }


def make_loader(dataset: str) -> Config:
    """A loader of whole cases, one after the other, in the process itself.

    Args:
        dataset: reference to the data set, like `@dataset`.
    """
    return {"_target_": "DataLoader", "dataset": dataset, "batch_size": 1, "shuffle": False, "num_workers": 0}


def make_plan_cleaning(plan: Plan) -> list[Config]:
    """Transforms that leave parts out of a label map, as the plan says."""
    if plan.decision == PartsPlan():
        return []
    return make_cleaning(plan.task, plan_cleaning(plan.decision, plan.task.labels))


JOIN_OBJECTS: Config = {"_target_": "AsDiscreted", "keys": ["label"], "threshold": 0.5}
JOIN_CLASSES: Config = {"_target_": "AsDiscreted", "keys": ["pred"], "argmax": True, "threshold": 0.5}


def guard_images(plan: Plan) -> list[Config]:
    """The inference chain of a plan, which ends where an image that it loaded holds what is no finite number.

    medunet's own reader refuses such images, so that it runs the chain without this.
    """
    load, shape, *rest = make_preprocessing(plan)
    return [load, shape, *refuse_nan(plan.task), *rest]


def _make_scoring(plan: Plan) -> list[Config]:
    if plan.task.labels.objects:
        return [JOIN_CLASSES, make_one_hot(2, False)]
    return make_scoring(plan.task, make_plan_cleaning(plan))


def make_inference_config(plan: Plan, files: Files = ()) -> Config:
    """`inference.json`: NIfTI files (or PNG) of `dataset_dir` to label maps in `output_dir`, on their own grids.

    A single channel takes every `*.nii.gz` and `*.nii`; several take `CASE_<channel>` with these endings. The logits
    of several `files` of weights are averaged; those of all are in memory at once.
    """
    return {
        **_make_common(plan, "inference.json", files),
        "datalist": list_images(plan.task, "@dataset_dir"),
        "preprocessing": {"_target_": "Compose", "transforms": guard_images(plan)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": make_loader("@dataset"),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *average_logits(files),
                *refuse_nan_logits(),
                *make_restoring(plan),
                *make_decision(plan.task),
                *make_plan_cleaning(plan),
                {
                    "_target_": "SaveImaged",
                    "keys": ["pred"],
                    "output_dir": "@output_dir",
                    "output_postfix": "mask",
                    "output_ext": find_endings(plan.task)[0],
                    "separate_folder": False,
                    "resample": False,
                    "dtype": "uint8",
                    "output_dtype": "uint8",
                },
            ],
        },
        "handlers": load_files(files),
        "evaluator": _make_evaluator(files),
        "initialize": check_places(plan.task, "datalist", "@dataset_dir"),
        "run": ["$@evaluator.run()"],
    }


def _make_evaluator(files: Files) -> Config:
    networks = {"networks": "@networks"} if files else {"network": "@network"}
    return {
        "_target_": "EnsembleEvaluator" if files else "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        **networks,
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
        "val_handlers": "@handlers",
    }


def make_evaluate_config(plan: Plan, files: Files = ()) -> Config:
    """`evaluate.json`: Dice of `dataset_dir`/images against `dataset_dir`/labels on the images' own grids.

    A label map has the name of its image (of the case, without the channel, where there are several). Of objects
    the Dice is that of the foreground.
    """
    task = plan.task
    keys = task.image_keys()
    return {
        **_make_common(plan, "evaluate.json", files),
        "images": list_images(task, "@dataset_dir + '/images'"),
        "datalist": list_labels(task),
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                *guard_images(plan),
                {"_target_": "LoadImaged", "keys": ["label"], "ensure_channel_first": True},
                *([JOIN_OBJECTS] if task.labels.objects else []),
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": make_loader("@dataset"),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *average_logits(files),
                *refuse_nan_logits(),
                *make_restoring(plan),
                # A label map may have its axes in another order than the image.
                *([] if task.unit == "px" else [make_orientation(["pred", "label"])]),
                *_make_scoring(plan),
            ],
        },
        "key_metric": {"val_mean_dice": make_metric(plan.task)},
        "handlers": [
            *load_files(files),
            {
                "_target_": "MetricsSaver",
                "save_dir": "@output_dir",
                "metrics": ["val_mean_dice"],
                "metric_details": ["val_mean_dice"],
                "batch_transform": f"$lambda batch: [case['{keys[0]}'].meta for case in batch]",
                "summary_ops": ["mean"],
            },
        ],
        "evaluator": {**_make_evaluator(files), "key_val_metric": "@key_metric"},
        "initialize": check_places(task, "images", "@dataset_dir + '/images'", "@dataset_dir + '/labels'"),
        "run": ["$@evaluator.run()"],
    }


OF_NETWORKS = {"inference.json": make_inference_config, "evaluate.json": make_evaluate_config}
"""What is otherwise where the networks of several folds are averaged."""
