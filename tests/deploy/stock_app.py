"""A one-channel bundle by the SDK's own operators, as the examples of MONAI Deploy chain them; saves the labels."""

from pathlib import Path
from typing import Any

import numpy as np
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Image, IOType, Operator
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator

RULES = '{"selections": [{"name": "CT", "conditions": {"Modality": "^CT$"}}]}'
SERIES = "study_selected_series_list"


class SaveOperator(Operator):
    def __init__(self, *args: Any, target: Path, **kwargs: Any) -> None:
        self._target = target
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        spec.input("image")

    def compute(self, inputs: Any, _outputs: Any, _context: Any) -> None:
        np.save(self._target, inputs.receive("image").asnumpy())


class StockApplication(Application):
    def compose(self) -> None:
        context = Application.init_app_context(self.argv)
        # Of a folder behind -m the SDK makes a model that can't predict, and takes it before bundle_path.
        context.models = None
        load = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=Path(context.input_path), name="load"
        )
        select = DICOMSeriesSelectorOperator(self, rules=RULES, name="select")
        read = DICOMSeriesToVolumeOperator(self, name="read")
        predict = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=context,
            bundle_path=Path(context.model_path),
            name="predict",
        )
        save = SaveOperator(self, target=Path(context.output_path) / "labels.npy", name="save")
        self.add_flow(load, select, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(select, read, {(SERIES, SERIES)})
        self.add_flow(read, predict, {("image", "image")})
        self.add_flow(predict, save, {("pred", "image")})


if __name__ == "__main__":
    StockApplication().run()
