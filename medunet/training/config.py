"""From a plan to the two JSON files that train a bundle: the one wiring of training, as data.

`medunet train` and `monai.bundle run` run the same files; both need medunet.
"""

from medunet.bundle.configs import DEVICE, Config, Makers, make_inferer, make_loader
from medunet.bundle.expressions import find_root
from medunet.bundle.targets import make_metric, make_scoring
from medunet.networks import make_loss, make_network, make_optimizer
from medunet.planning import Plan
from medunet.preparation import make_augmentation, make_warp


def make_train_config(plan: Plan) -> Config:
    """`train.json`: the one wiring of training, run by `medunet train` and by `monai.bundle run` alike."""
    return {
        "imports": ["$import inspect", "$import os", "$import torch"],
        "_desc_": "Training needs the package medunet; inference.json and evaluate.json need MONAI only.",
        "bundle_root": find_root("train.json"),
        "fold": 0,
        "budget": plan.training.budget_minutes,
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
        "optimizer": make_optimizer(plan.training.optimizer, "$@network.parameters()", "$@session.learning_rate"),
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
            "batch": plan.training.batch,
            "steps": "$@session.schedule.steps_per_epoch",
            "foreground_share": plan.training.foreground_share,
            "augmentation": make_augmentation(plan),
            "seed": plan.training.seed,
        },
        "dataloader": {
            "_target_": "medunet.preparation.PatchLoader",
            "dataset": "@train#dataset",
            "batch_size": plan.training.batch,
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
    clip = {
        "_target_": "medunet.training.GradientClip",
        "network": "@network",
        "longest": plan.training.longest_gradient,
    }
    return [
        {"_target_": "medunet.training.EpochSeed", "dataset": "@train#dataset", "seed": plan.training.seed},
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
        {"_target_": "medunet.training.TrainingProgress", "session": "@session", "batch": plan.training.batch},
        {"_target_": "medunet.training.Deadline", "session": "@session"},
        *([clip] if plan.training.longest_gradient else []),
    ]


def _make_validate_group(plan: Plan) -> Config:
    return {
        "dataset": {"_target_": "medunet.preparation.WholeDataset", "cases": "$@session.validation"},
        "dataloader": make_loader("@validate#dataset"),
        "inferer": {"_target_": "medunet.networks.AutocastInferer", "inferer": make_inferer(plan)},
        "postprocessing": {"_target_": "Compose", "transforms": [*make_scoring(plan.task), *_hide_unknown(plan)]},
        "key_metric": {"val_mean_dice": make_metric(plan.task)},
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


def _hide_unknown(plan: Plan) -> list[Config]:
    """A step that keeps regions of which a label is unknown out of the metric, where there may be some."""
    regions = [list(region.values) for region in plan.task.labels.regions]
    if not (regions and plan.training.partial):
        return []
    return [{"_target_": "medunet.preparation.HideUnknownd", "keys": ["label"], "regions": regions}]


CONFIGS: Makers = {"train.json": make_train_config, "multi_gpu_train.json": make_multi_gpu_config}
"""What `write_bundle` adds to a bundle that is to be trained."""
