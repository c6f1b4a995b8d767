"""The Dockerfile of a bundle's container: two images of the same layers."""

import json

from medunet.deploy.manifests import ENVIRONMENT, About, describe_command

BASE = "python:3.11-slim"
PLAIN = {
    "HOME": "/tmp",  # noqa: S108 - of the container, whose user has no home
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/opt/holoscan/app",
    "MEDUNET_EXPORT_PATH": "/var/run/holoscan/export",
}
COMMON = """\
# {title} as a container, written by medunet {medunet}. Two images of the same layers:
#   docker build --target map -t {name}:{version} .        a MONAI Application Package
#   docker build --target mercure -t {name}-mercure .      a module of mercure
# INDEX: another package index. TORCH_INDEX: torch's own one for the build that requirements.txt names (its site says
# where); the usual index has builds for NVIDIA's GPUs. What torch's wheel holds for those who compile or test it,
# 0.2 GB, is left out.
ARG BASE={base}
FROM ${{BASE}} AS common
ARG INDEX=
ARG TORCH_INDEX=
ENV {environment}
COPY requirements.txt /opt/holoscan/requirements.txt
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check \\
    ${{INDEX:+--index-url "$INDEX"}} ${{TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"}} \\
    -r /opt/holoscan/requirements.txt \\
    && cd "$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \\
    && rm -rf torch/include torch/test torch/bin/*[Tt]est* torch/bin/protoc*
RUN mkdir -p /var/holoscan/input /var/holoscan/output /var/holoscan/logs /var/run/holoscan/export \\
    && chmod -R a+rwX /var/holoscan /var/run/holoscan/export
COPY app /opt/holoscan/app
COPY models /opt/holoscan/models
COPY docs /opt/holoscan/docs
COPY app.yaml /var/holoscan/app.yaml
COPY tools /var/holoscan/tools
COPY map /etc/holoscan
LABEL {labels}
WORKDIR /var/holoscan
USER 1000:1000
ENTRYPOINT ["python3", "/var/holoscan/tools"]

FROM common AS mercure

FROM common AS map
{manifest}"""
MONAI_MANIFEST = "COPY map /etc/monai\n"
"""mercure takes an image with this folder for a MONAI Application Package, and wants to run it as root."""
PROGRAM = '''\
#!/usr/bin/env python3
"""What the container does, as its entry point and as the application of its manifest: run, show, env, extract, help."""

import sys

from medunet.deploy.container import main

sys.exit(main())
'''


def write_dockerfile(about: About, licence: str, *, monai_manifest: bool = False, base: str = BASE) -> str:
    """The text of the Dockerfile.

    Args:
        about: the application.
        licence: of the bundle, as SPDX names it; "" where it isn't known.
        monai_manifest: the image `map` has its manifests in /etc/monai, too.
        base: image with Python.
    """
    labels = {
        "org.opencontainers.image.title": about.name,
        "org.opencontainers.image.version": about.version,
        "org.opencontainers.image.description": about.description,
        "org.opencontainers.image.base.name": base,
        **({"org.opencontainers.image.licenses": licence} if licence else {}),
        "org.nrg.commands": json.dumps([describe_command(about)]),
    }
    return COMMON.format(
        title=about.name,
        name=about.name.lower(),
        version=about.version,
        medunet=about.medunet,
        base=base,
        environment=_list_pairs({**PLAIN, **ENVIRONMENT}),
        labels=_list_pairs(labels),
        manifest=MONAI_MANIFEST if monai_manifest else "",
    )


def _list_pairs(pairs: dict[str, str]) -> str:
    """Pairs of a Dockerfile, a line each; what Docker would replace or end with is escaped."""
    quoted = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") for name, value in pairs.items()
    }
    return " \\\n    ".join(f'{name}="{value}"' for name, value in quoted.items())
