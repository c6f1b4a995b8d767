"""From a plan to the four JSON files that `monai.bundle run` takes.

`inference.json` and `evaluate.json` name MONAI, Ignite and torch only; the two for training need medunet.
"""

from typing import Any

from medunet.bundle.ensemble import Files, average_logits, load_files, make_networks
from medunet.bundle.targets import make_metric, make_one_hot, make_scoring
from medunet.networks import make_loss, make_network, make_optimizer
from medunet.planning import Plan
from medunet.preparation import make_augmentation, make_decision, make_preprocessing, make_restoring, make_warp

Config = dict[str, Any]
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


def find_root(name: str) -> str:
    """Expression for the bundle's folder: that of the configuration on the command line, from wherever it is run."""
    return (
        "$next((os.path.dirname(os.path.dirname(os.path.abspath(a.split('=')[-1]))) "
        f"for a in sys.argv if a.endswith('{name}')), '.')"
    )


def make_inferer(plan: Plan) -> Config:
    """MONAI's sliding window over a prepared volume; slice by slice for a 2D network."""
    slices = {"_target_": "SliceInferer", "spatial_dim": 2} if plan.dims == 2 else {"_target_": "SlidingWindowInferer"}
    return {
        **slices,
        "roi_size": list(plan.patch[: plan.dims]),
        "sw_batch_size": 4 if plan.dims == 2 else 2,
        "overlap": plan.overlap,
        "mode": "gaussian",
    }


def _make_stock_inferer(plan: Plan) -> Config:
    """The same for MONAI alone, to which a picture has two axes."""
    inferer = make_inferer(plan)
    if plan.unit == "px":
        del inferer["spatial_dim"]
        inferer["_target_"] = "SlidingWindowInferer"
    return inferer


def _find_ending(plan: Plan) -> str:
    """Of the names of images and label maps."""
    return ".png" if plan.unit == "px" else ".nii.gz"


def _make_common(plan: Plan, name: str, files: Files) -> Config:
    return {
        "imports": ["$import glob", "$import os", "$import sys", "$import torch"],
        "bundle_root": find_root(name),
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "$@bundle_root + '/dataset'",
        "device": DEVICE,
        "network_def": make_network(plan),
        **make_networks(files),
        "inferer": _make_stock_inferer(plan),
    }


def _list_images(plan: Plan, folder: str) -> str:
    keys, ending = plan.image_keys(), _find_ending(plan)
    if len(keys) == 1:
        return f"$[{{'image': p}} for p in sorted(glob.glob({folder} + '/*{ending}'))]"
    first = keys[0]
    entries = ", ".join(f"'{key}': p.replace('_{first}{ending}', '_{key}{ending}')" for key in keys)
    return f"$[{{{entries}}} for p in sorted(glob.glob({folder} + '/*_{first}{ending}'))]"


def _make_loader(dataset: str) -> Config:
    return {"_target_": "DataLoader", "dataset": dataset, "batch_size": 1, "shuffle": False, "num_workers": 0}


JOIN_OBJECTS: Config = {"_target_": "AsDiscreted", "keys": ["label"], "threshold": 0.5}
JOIN_CLASSES: Config = {"_target_": "AsDiscreted", "keys": ["pred"], "argmax": True, "threshold": 0.5}


def make_inference_config(plan: Plan, files: Files = ()) -> Config:
    """`inference.json`: NIfTI files (or PNG) of `dataset_dir` to label maps in `output_dir`, on their own grids.

    A single channel takes every `*.nii.gz`; several take `CASE_<channel>.nii.gz`. The logits of several `files` of
    weights are averaged; those of all are in memory at once.
    """
    ending = _find_ending(plan)
    return {
        **_make_common(plan, "inference.json", files),
        "datalist": _list_images(plan, "@dataset_dir"),
        "preprocessing": {"_target_": "Compose", "transforms": make_preprocessing(plan)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": _make_loader("@dataset"),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *average_logits(files),
                *make_restoring(plan),
                *make_decision(plan),
                {
                    "_target_": "SaveImaged",
                    "keys": ["pred"],
                    "output_dir": "@output_dir",
                    "output_postfix": "mask",
                    "output_ext": ending,
                    "separate_folder": False,
                    "resample": False,
                    "dtype": "uint8",
                    "output_dtype": "uint8",
                },
            ],
        },
        "handlers": load_files(files),
        "evaluator": _make_evaluator(files),
        "initialize": [f"$@datalist or sys.exit('no image *{ending} in ' + @dataset_dir)"],
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
    keys, ending = plan.image_keys(), _find_ending(plan)
    tail = f"'_{keys[0]}{ending}'" if len(keys) > 1 else f"'{ending}'"
    label = f"@dataset_dir + '/labels/' + os.path.basename(c['{keys[0]}']).replace({tail}, '{ending}')"
    return {
        **_make_common(plan, "evaluate.json", files),
        "images": _list_images(plan, "@dataset_dir + '/images'"),
        "datalist": f"$[dict(c, label={label}) for c in @images]",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                *make_preprocessing(plan),
                {"_target_": "LoadImaged", "keys": ["label"], "ensure_channel_first": True},
                *([JOIN_OBJECTS] if plan.labels.objects else []),
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": _make_loader("@dataset"),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *average_logits(files),
                *make_restoring(plan),
                *([JOIN_CLASSES, make_one_hot(2, False)] if plan.labels.objects else make_scoring(plan)),
            ],
        },
        "key_metric": {"val_mean_dice": make_metric(plan)},
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
        "initialize": [f"$@images or sys.exit('no image *{ending} in ' + @dataset_dir + '/images')"],
        "run": ["$@evaluator.run()"],
    }


OF_NETWORKS = {"inference.json": make_inference_config, "evaluate.json": make_evaluate_config}
"""What is otherwise where the networks of several folds are averaged."""


def make_train_config(plan: Plan) -> Config:
    """`train.json`: the one wiring of training, run by `medunet train` and by `monai.bundle run` alike."""
    return {
        "imports": ["$import os", "$import sys", "$import torch"],
        "_desc_": "Training needs the package medunet; inference.json and evaluate.json need MONAI only.",
        "bundle_root": find_root("train.json"),
        "fold": 0,
        "budget": plan.budget_minutes,
        "workers": 1,
        "patience": 0,
        "device": DEVICE,
        "session": {
            "_target_": "medunet.training.open_session",
            "bundle_root": "@bundle_root",
            "fold": "@fold",
            "budget_minutes": "@budget",
            "patience": "@patience",
        },
        "dataset_dir": "$@session.folder",
        "val_interval": "$@session.schedule.validation_interval",
        **_make_optimization(plan),
        "average": "@train#handlers#2",
        "checkpoint": "@train#handlers#6",
        "train": _make_train_group(plan),
        "validate": _make_validate_group(plan),
        "initialize": ["$torch.manual_seed(@session.plan.seed)", "$@session.load_start(@network_def)"],
        "run": ["$@train#trainer.run()"],
        "finalize": ["$@session.finish(@checkpoint)"],
    }


def make_multi_gpu_config(plan: Plan) -> Config:
    """`multi_gpu_train.json`: what `train.json` has otherwise on the processes that torchrun starts.

    `@network` stays the plain one, so that weights keep their names; only the trainer gets it wrapped.
    """
    single = make_train_config(plan)
    return {
        # The two files are one argument, a list in quotes of either kind.
        "bundle_root": "$next((os.path.dirname(os.path.dirname(os.path.abspath(p))) for a in sys.argv "
        "for p in a.replace(chr(34), chr(39)).split(chr(39)) if p.endswith('multi_gpu_train.json')), '.')",
        "device": {"_target_": "medunet.training.join_ranks"},
        "train#sampler": {"_target_": "DistributedSampler", "dataset": "@train#dataset", "shuffle": False},
        "train#dataloader#sampler": "@train#sampler",
        "train#dataloader#batch_size": {"_target_": "medunet.training.share_batch", "batch": "@train#dataset#batch"},
        "train#trainer#network": {
            "_target_": "torch.nn.parallel.DistributedDataParallel",
            "module": "@network",
            # Else gradients are summed in another order from the second step on, and again after a resume.
            "find_unused_parameters": True,
        },
        "train#trainer#loss_function": {"_target_": "medunet.training.GatheredLoss", "loss": "@loss"},
        "validate#dataset#cases": {"_target_": "medunet.training.share_cases", "cases": "$@session.validation"},
        "initialize": ["$@device", *single["initialize"]],
        "finalize": [*single["finalize"], {"_target_": "ignite.distributed.finalize"}],
    }


def _make_optimization(plan: Plan) -> Config:
    return {
        "network_def": make_network(plan),
        "supervised": {
            "_target_": "medunet.networks.DeepSupervision",
            "network": "@network_def",
            "heads": plan.network.heads,
        },
        "network": {"_target_": "medunet.networks.lay_out", "network": "$@supervised.to(@device)"},
        "loss": {
            "_target_": "DeepSupervisionLoss",
            "loss": make_loss(plan),
        },
        "optimizer": make_optimizer(plan.optimizer, "$@network.parameters()", "$@session.learning_rate"),
        "lr_scheduler": {
            "_target_": "torch.optim.lr_scheduler.PolynomialLR",
            "optimizer": "@optimizer",
            "total_iters": "$@session.schedule.epochs",
            "power": 0.9,
        },
    }


def _make_train_group(plan: Plan) -> Config:
    return {
        "dataset": {
            "_target_": "medunet.preparation.PatchDataset",
            "cases": "$@session.training",
            "warp": make_warp(plan),
            "batch": plan.batch,
            "steps": "$@session.schedule.steps_per_epoch",
            "foreground_share": plan.foreground_share,
            "augmentation": make_augmentation(plan),
            "seed": plan.seed,
        },
        "dataloader": {
            "_target_": "medunet.preparation.PatchLoader",
            "dataset": "@train#dataset",
            "batch_size": plan.batch,
            "shuffle": False,
            "num_workers": "@workers",
        },
        "inferer": {"_target_": "medunet.networks.AutocastInferer"},
        "handlers": _make_train_handlers(plan),
        "trainer": {
            "_target_": "SupervisedTrainer",
            "device": "@device",
            "max_epochs": "$@session.schedule.epochs",
            "train_data_loader": "@train#dataloader",
            "network": "@network",
            "optimizer": "@optimizer",
            "loss_function": "@loss",
            "inferer": "@train#inferer",
            "decollate": False,
            "optim_set_to_none": True,
            "train_handlers": "@train#handlers",
        },
    }


def _make_train_handlers(plan: Plan) -> list[Config]:
    """The order counts: average the weights, validate them, note it, step the learning rate, then save.

    "average" and "checkpoint" name the third and the seventh; MONAI's check of properties takes no references here.
    """
    clip = {"_target_": "medunet.training.GradientClip", "network": "@network", "longest": plan.longest_gradient}
    return [
        {"_target_": "medunet.training.EpochSeed", "dataset": "@train#dataset", "seed": plan.seed},
        {"_target_": "medunet.training.NanStop", "dataset": "@train#dataset"},
        {"_target_": "medunet.training.WeightAverage", "network": "@network"},
        {
            "_target_": "ValidationHandler",
            "validator": "@validate#evaluator",
            "interval": "@val_interval",
            "epoch_level": True,
        },
        {
            "_target_": "medunet.training.History",
            "session": "@session",
            "optimizer": "@optimizer",
            "validator": "@validate#evaluator",
        },
        {"_target_": "LrScheduleHandler", "lr_scheduler": "@lr_scheduler", "print_lr": False},
        {
            "_target_": "medunet.training.RunCheckpoint",
            "folder": "$@session.folder",
            "network": "@network",
            "average": "@average",
            "optimizer": "@optimizer",
            "lr_scheduler": "@lr_scheduler",
        },
        {
            "_target_": "medunet.training.EarlyStop",
            "session": "@session",
            "validator": "@validate#evaluator",
            "checkpoint": "@checkpoint",
        },
        {"_target_": "medunet.training.TensorBoard", "session": "@session", "validator": "@validate#evaluator"},
        {"_target_": "medunet.training.TrainingProgress", "session": "@session", "batch": plan.batch},
        {"_target_": "medunet.training.Deadline", "session": "@session"},
        *([clip] if plan.longest_gradient else []),
    ]


def _make_validate_group(plan: Plan) -> Config:
    return {
        "dataset": {"_target_": "medunet.preparation.WholeDataset", "cases": "$@session.validation"},
        "dataloader": _make_loader("@validate#dataset"),
        "inferer": {"_target_": "medunet.networks.AutocastInferer", "inferer": make_inferer(plan)},
        "postprocessing": {"_target_": "Compose", "transforms": make_scoring(plan)},
        "key_metric": {"val_mean_dice": make_metric(plan)},
        "handlers": [{"_target_": "medunet.training.KeepBest", "checkpoint": "@checkpoint"}],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@validate#dataloader",
            "network": "$@average.network",
            "inferer": "@validate#inferer",
            "postprocessing": "@validate#postprocessing",
            "key_val_metric": "@validate#key_metric",
            "val_handlers": "@validate#handlers",
        },
    }
