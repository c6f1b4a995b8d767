"""What predicts many scans: a recipe, and its network as soon as the first scan needs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from medunet.bundle import Bundle, ForeignBundle, Recipe, join_hashes, take_recipe
from medunet.inference.computing import (
    EXACT,
    Computed,
    Computing,
    check_computing,
    describe_computed,
    hasten_recipe,
    is_known,
    list_backends,
)
from medunet.inference.measured import tell_cost
from medunet.inference.predict import Predictor, load_predictor
from medunet.writing import Algorithm


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """What predicts.

    Attributes:
        recipe: of the bundle, as the preset has it.
        weights: SHA-256 of its files of weights, by name.
        load: gives the predictor, when the first scan needs it.
        computed: how the network is computed.
    """

    recipe: Recipe
    weights: Mapping[str, str]
    load: Callable[[], Predictor]
    computed: Computed

    @property
    def algorithm(self) -> Algorithm:
        """What a result says of it."""
        return Algorithm(self.recipe.name, self.recipe.version, join_hashes(self.weights))


def make_maker(
    bundle: Bundle | ForeignBundle, adjust: Callable[[Recipe], Recipe] | None = None, computing: Computing = EXACT
) -> Maker:
    """What predicts by a bundle; weights of medunet's own are loaded when the first scan needs them.

    Args:
        bundle: a trained one.
        adjust: makes the recipe decide otherwise.
        computing: by which backend, and how precisely.

    Raises:
        BundleError: there are no weights, or inference.json holds what medunet doesn't understand.
        InputError: the network can't be computed so.
    """
    recipe, files = take_recipe(bundle)
    check_computing(recipe, computing)
    recipe = hasten_recipe(adjust(recipe) if adjust else recipe, computing)
    load = cache(lambda: load_predictor(recipe, files, computing))
    if isinstance(bundle, ForeignBundle) or not is_known(recipe):
        # Nothing else tells whether its parts belong together, and which backend takes its network.
        computed = load().computed
    else:
        computed = describe_computed(list_backends(computing)[0], computing)
    weights = {path.name: digest for path, digest in files.items()}
    tell_cost(bundle.folder, recipe.name, weights, computed)
    return Maker(recipe, weights, load, computed)
