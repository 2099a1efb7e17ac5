"""The page of images that no model gets right: their pictures, labels, and how many models were right."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 40
"""Pictures on a page."""

COLUMNS = 8

SIDE = 1.5
"""Inches that a picture takes."""

SMALL = 64
"""Pixels; pictures up to so wide and high are drawn with all their pixels to be seen."""

LONGEST = 24
"""Letters of a line in or under a picture."""


def plot_gallery(
    images: pd.DataFrame, pictures: Mapping[str, np.ndarray], figure: "Figure", *, in_all: int
) -> None:
    """Draw pictures of images that no model gets right, with their labels, and how many models were right.

    Parameters
    ----------
    images
        Which ones, as `page_of` returns them.
    pictures
        Their pictures by id, (height, width) or (height, width, 3), as bytes; an image without one is an empty frame.
    figure
        Where to draw them; it is made as large as they need.
    in_all
        How many such images there are, on all pages.
    """
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    test_sets = list(dict.fromkeys(name for names in images["test_sets"] for name in names))
    captions = [_caption(row, with_test_sets=len(test_sets) > 1) for row in images.to_dict("records")]
    lines = 1 + max(caption.count("\n") for caption in captions)
    width = max(5.0, SIDE * columns)
    figure.set_size_inches(width, rows * (SIDE + 0.14 * lines) + 0.6)
    figure.set_layout_engine("compressed")  # squares, without gaps between them
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(images) :]:
        axes.set_axis_off()
    for image, caption, axes in zip(images["image"], captions, panels, strict=False):
        if image in pictures:
            _show(pictures[image], axes)
        else:
            _frame(image, axes)
        axes.set_xlabel(caption, fontsize="x-small", parse_math=False)  # names are from others: no formulas in them
    few = f"{len(images)} of {in_all}" if len(images) < in_all else f"{in_all}"
    noun = "image" if in_all == 1 else "images"
    title = f"{few} {noun} of {' and '.join(test_sets)} that no model gets right"
    figure.suptitle(textwrap.fill(title, int(11 * width)), fontsize="medium", parse_math=False)


def _show(picture: np.ndarray, axes: "Axes") -> None:
    """Draw a picture at the foot of a square, as large as that allows."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    axes.imshow(
        picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if longest <= SMALL else "antialiased",
        extent=(-width / 2, width / 2, 0, height),
    )
    _square(axes, longest, visible=False)


def _frame(image: str, axes: "Axes") -> None:
    """Draw an empty frame with the id of the image whose picture is missing."""
    axes.text(0, 0.5, f"no picture of\n{_wrapped(image, 5)}", ha="center", va="center", fontsize="xx-small",
              color="0.4", parse_math=False)
    _square(axes, 1, visible=True)


def _square(axes: "Axes", side: float, *, visible: bool) -> None:
    """Make a square of so long sides, in the picture's units, with its outline or without."""
    axes.set(xlim=(-side / 2, side / 2), ylim=(0, side), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set(visible=visible, color="0.7", linestyle=(0, (4, 4)))


def _caption(row: Mapping[str, Any], *, with_test_sets: bool) -> str:
    label = [] if pd.isna(row["label"]) else [_wrapped(f"label {row['label']}", 2)]
    names = [_wrapped(" & ".join(row["test_sets"]), 3)] if with_test_sets else []
    return "\n".join([*label, f"0 of {row['models']} right", *names])


def _wrapped(text: str, lines: int) -> str:
    """Return a text in so many lines at most, each as wide as a picture."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return "\n".join(textwrap.wrap(printable, LONGEST, max_lines=lines, placeholder="…"))
