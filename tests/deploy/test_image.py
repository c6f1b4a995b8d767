import json
import shlex
from pathlib import Path

from medunet.deploy.image import write_dockerfile
from medunet.deploy.manifests import ENVIRONMENT, About, describe_command
from medunet.deploy.steps import choose_stage, read_steps

ABOUT = About("lung_ct", "1.2.0", "0.1.0", 'Segments "lungs" for $5 \\ more', 3.2)


def read(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "Dockerfile").write_text(text)
    return read_steps(folder / "Dockerfile")


def test_labels_hold_what_they_say_whatever_it_holds(tmp_path: Path) -> None:
    steps = read(tmp_path, write_dockerfile(ABOUT, "Apache-2.0"))
    (labels,) = (rest for word, rest in steps if word == "LABEL")
    pairs = dict(pair.split("=", 1) for pair in shlex.split(labels.replace("\\$", "$")))
    assert pairs["org.opencontainers.image.title"] == "lung_ct"
    assert pairs["org.opencontainers.image.version"] == "1.2.0"
    assert pairs["org.opencontainers.image.description"] == ABOUT.description
    assert json.loads(pairs["org.nrg.commands"]) == [describe_command(ABOUT)]


def test_both_images_are_of_the_same_layers(tmp_path: Path) -> None:
    steps = read(tmp_path, write_dockerfile(ABOUT, ""))
    assert choose_stage(steps, "map") == choose_stage(steps, "mercure") == choose_stage(steps, "common")
    words = [word for word, _ in choose_stage(steps, "map")]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))
    steps = read(tmp_path, write_dockerfile(ABOUT, "", monai_manifest=True, base="other:1"))
    assert choose_stage(steps, "map")[-1] == ("COPY", "map /etc/monai")
    assert ("COPY", "map /etc/monai") not in choose_stage(steps, "mercure")
    assert steps[0] == ("ARG", "BASE=other:1")


def test_it_sets_the_variables_of_the_manifest(tmp_path: Path) -> None:
    steps = read(tmp_path, write_dockerfile(ABOUT, ""))
    (pairs,) = (rest for word, rest in steps if word == "ENV")
    found = dict(pair.split("=", 1) for pair in shlex.split(pairs))
    assert ENVIRONMENT.items() <= found.items()
