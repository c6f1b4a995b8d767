"""What a bundle segments: its channels, their modalities and units, and the labels that it gives."""

from pydantic import Field

from medunet.geometry import Unit
from medunet.labels import LabelTable
from medunet.records import Record
from medunet.sides import Sides


class Separation(Record):
    """How objects that touch are kept apart: the network learns interior and border in place of the label."""

    border: int = Field(ge=1)
    """Voxels within which another object makes border."""
    smallest: float = Field(ge=0.0)
    """Size below which what is found is no object; in mL, or in voxels where the images have no physical size."""


def name_keys(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of channels in MONAI's dictionaries: `image` for a single one, as Deploy's operator needs."""
    return channels if len(channels) > 1 else ("image",)


class Task(Record):
    """What goes into a bundle and what comes out of it, whatever grid, network and training lie between."""

    channels: tuple[str, ...]
    """Names of the images of a case; the first is the reference, on whose grid labels and results lie."""
    modalities: dict[str, str]
    """Modality of each channel as DICOM writes it (CT, PT, MR, …), by name of the channel."""
    labels: LabelTable
    """What is segmented."""
    unit: Unit = "mm"
    """"px" for pictures: images without a physical size, which are not resampled."""
    components: dict[str, int] = Field(default_factory=dict)
    """Components of a file of each channel, 1 where not named; a grey picture is repeated where it is 3."""
    units: dict[str, str] = Field(default_factory=dict)
    """Of the values of each channel (HU, SUVbw, …), where the cohort's files say so; files in others are refused."""
    objects: Separation | None = None
    """Where labels number objects; without it connected parts of the label are the objects."""

    sides: Sides = ()
    """Labels that their side alone tells apart, in pairs with the left one first, or one whose other side is no label;
    where there are some, nothing is mirrored across the midline."""

    def image_keys(self) -> tuple[str, ...]:
        """Names of the channels in MONAI's dictionaries."""
        return name_keys(self.channels)

    def count_components(self, channel: str) -> int:
        """Components of a file of a channel."""
        return self.components.get(channel, 1)

    def count_inputs(self) -> int:
        """Inputs of the network: the components of all channels."""
        return sum(map(self.count_components, self.channels))

    def name_classes(self) -> tuple[str, ...]:
        """What the outputs of the network are: regions, or background and labels, or interior and border of objects."""
        regions = tuple(region.name for region in self.labels.regions)
        return regions or ("background", *(("interior", "border") if self.objects else self.labels.names))
