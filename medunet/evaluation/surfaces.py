"""Surfaces by their area: elements between the centres of neighbouring voxels.

A *cell* is a box whose 8 corners are the centres of voxels that touch each other (in an image of one slice a rectangle
with 4); its *code* says which of them lie in a mask. The surface runs through the middle of each edge that leaves the
mask. On a face of a cell it joins these middles in pairs, and where a face has four of them, its corners that lie in
the mask only across are cut off one by one; so neighbouring cells agree on their common face, and what is joined makes
closed lines. Each line spans triangles around its middle, whose area the affine gives, so that spacing, turns and
shear of the grid count. The *element* of a cell is all that it holds: an area (of one slice a length) and a middle.
What lies outside the array counts as background.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.geometry import Affine, Grid, Points

Voxels = npt.NDArray[np.bool_]
"""One structure, (I, J, K), True inside."""
CORNERS = np.array([(i, j, k) for k, j, i in product((0, 1), repeat=3)])
"""Corner of each bit of a code, (8, 3); of one slice the first four."""
Edge = frozenset[int]
"""Two corners."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The elements of a surface.

    Attributes:
        cells: (N,) ascending numbers of their cells, 256 times that of the place plus the code: equal in two surfaces
            of arrays of one shape where their elements are.
        places: (N, 3) their middles in the world but for the grid's offset.
        areas: (N,) in the square of the grid's unit; of one slice lengths.
    """

    cells: npt.NDArray[np.int64]
    places: Points
    areas: npt.NDArray[np.float64]


def find_surface(mask: Voxels, grid: Grid, known: Voxels | None = None) -> Surface:
    """The surface of a mask.

    Args:
        mask: (I, J, K) bool; in an image of one slice the surface is the outline in it.
        grid: where it lies; its offset doesn't matter.
        known: (I, J, K) bool, holds the mask. The surface doesn't run between the mask and what isn't known: that is
            taken to be what the nearest known voxel is, and cells of unknown corners only hold no surface.
    """
    flat = mask.shape[2] == 1
    pad = [(1, 1), (1, 1), (0, 0) if flat else (1, 1)]
    padded = np.pad(mask, pad)
    if known is not None:
        seen = np.pad(known, pad, mode="edge")
        nearest = ndimage.distance_transform_edt(~seen, grid.spacing, return_distances=False, return_indices=True)
        padded = padded[tuple(nearest)]
    codes = _encode(padded.astype(np.uint8), flat)
    crossed = (codes != 0) & (codes != (15 if flat else 255))
    if known is not None:
        crossed &= _encode(seen.astype(np.uint8), flat) > 0
    at = np.flatnonzero(crossed)
    found = codes.ravel()[at]
    middles, areas = _measure_elements(grid.affine[:3, :3], flat)
    index = np.column_stack(np.unravel_index(at, codes.shape)) + middles[found] - [low for low, _ in pad]
    return Surface(at.astype(np.int64) * 256 + found, index @ grid.affine[:3, :3].T, areas[found])


def _encode(bits: npt.NDArray[np.uint8], flat: bool) -> npt.NDArray[np.uint8]:
    """Codes of all cells: one less along each axis than voxels; of one slice as many along K."""
    one, two, four = np.uint8(1), np.uint8(2), np.uint8(4)  # shifts of Python's integers would widen the result
    bits = bits[:-1] | bits[1:] << one
    bits = bits[:, :-1] | bits[:, 1:] << two
    return bits if flat else bits[:, :, :-1] | bits[:, :, 1:] << four


def _measure_elements(matrix: Affine, flat: bool) -> tuple[Points, npt.NDArray[np.float64]]:
    """Middles as indices (256, 3) and areas (256,) of the elements of all codes, given the (3, 3) of an affine."""
    codes, spans, middles = _span_elements(flat)
    sides = spans @ matrix.T
    sizes = np.linalg.norm(sides[:, 0], axis=1) if flat else np.linalg.norm(np.cross(*sides.swapaxes(0, 1)), axis=1) / 2
    return middles, np.bincount(codes, sizes, 256).astype(np.float64)


@lru_cache
def _span_elements(flat: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Points]:
    """What surfaces consist of in a cell of size 1.

    Returns:
        Of each triangle (of one slice, piece of line) the code of its cell (M,) and the two sides from one of its
        corners (M, 2, 3), of which a piece of line has only the first; and the middle of the element of each code
        (256, 3).
    """
    codes, spans, middles = [], [], np.zeros((256, 3))
    for code in range(1, 15 if flat else 255):
        inside = [bool(code >> bit & 1) for bit in range(8)]
        if flat:
            lines = [[_halve(edge) for edge in pair] for pair in _join_edges(inside, (0, 1, 3, 2))]
            pieces = [(last - first, np.zeros(3)) for first, last in lines]
        else:
            lines = [[_halve(edge) for edge in line] for line in _find_lines(inside)]
            pieces = [sides for line in lines for sides in _span_line(np.array(line))]
        codes += [code] * len(pieces)
        spans += pieces
        middles[code] = np.mean([point for line in lines for point in line], axis=0)
    return np.array(codes), np.array(spans), middles


def _halve(edge: Edge) -> npt.NDArray[np.float64]:
    """The middle of an edge, (3,)."""
    return np.asarray(CORNERS[[*edge]].mean(axis=0))


def _span_line(points: Points) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Sides of the triangles between the middle of a closed line (N, 3) and its pieces."""
    spokes = points - points.mean(axis=0)
    return [*zip(spokes, np.roll(spokes, -1, axis=0), strict=True)]


def _find_lines(inside: list[bool]) -> list[list[Edge]]:
    """Closed lines around the corners of a cell that lie inside, each as the edges that it passes in turn."""
    beside: dict[Edge, list[Edge]] = {}
    for axis, side in product(range(3), (0, 1)):
        face = [int(bit) for bit in np.flatnonzero(CORNERS[:, axis] == side)]
        for first, last in _join_edges(inside, (face[0], face[1], face[3], face[2])):
            beside.setdefault(first, []).append(last)
            beside.setdefault(last, []).append(first)
    lines = []
    while beside:
        line = [next(iter(beside))]
        while following := [edge for edge in beside.pop(line[-1]) if edge in beside]:
            line.append(following[0])
        lines.append(line)
    return lines


def _join_edges(inside: list[bool], face: tuple[int, int, int, int]) -> list[tuple[Edge, Edge]]:
    """Pairs of edges of a face, whose corners stand in turn, that the surface joins on it."""
    edges = [frozenset({face[n], face[(n + 1) % 4]}) for n in range(4)]
    crossed = [n for n in range(4) if inside[face[n]] != inside[face[(n + 1) % 4]]]
    if len(crossed) == 4:
        # Edge n - 1 and edge n meet in corner n.
        return [(edges[n - 1], edges[n]) for n in range(4) if inside[face[n]]]
    return [(edges[crossed[0]], edges[crossed[1]])] if crossed else []
