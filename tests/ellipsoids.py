"""Bodies whose shape is known."""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def make_ellipsoid(shape: tuple[int, int, int], centre: npt.ArrayLike, halves: npt.ArrayLike) -> Bools:
    places = np.indices(shape).transpose(1, 2, 3, 0)
    return (((places - centre) / halves) ** 2).sum(axis=-1) <= 1


def make_patient() -> tuple[npt.NDArray[np.int16], Bools, Bools]:
    """A CT: body with a lung, on a table, in air."""
    image = np.full((40, 40, 10), -1000, dtype=np.int16)
    body = make_ellipsoid((40, 40, 10), (20, 20, 4.5), (15, 12, 50))
    lung = make_ellipsoid((40, 40, 10), (20, 20, 4.5), (5, 5, 50))
    image[body] = 40
    image[lung] = -850
    image[5:35, 36:38] = 200
    return image, body, lung
