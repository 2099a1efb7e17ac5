"""Tables of what is known of images beside responses: a column `image`, and columns of numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from difficulty_model.errors import InputError
from difficulty_model.readers._tables import column_names, read_columns, require_columns


def read_covariates(path: Path | str) -> pd.DataFrame:
    """Return covariates of images, one row per image under its id, from CSV or Parquet.

    An empty cell is a missing value. `Responses.with_covariates` takes the table.

    Raises
    ------
    InputError
        If the file cannot be read, has no column `image` or none beside it, an image stands twice, or a cell is
        not a number.
    """
    path = Path(path)
    names = column_names(path)
    require_columns(path, names, ["image"])
    if len(names) < 2:
        raise InputError(f"{path} has the column 'image' only; expected columns of numbers beside it")
    columns = read_columns(path, names)
    images = pd.Index(columns["image"].filled().cells(), name="image")
    if not images.is_unique:
        raise InputError(f"{path} has image {images[images.duplicated()][0]!r} more than once; expected one row per "
                         "image")
    numbers = {}
    for name in names:
        if name != "image":
            cells = columns[name].cells()
            numbers[name] = np.array([_number(cell) for cell in cells])
            for row in np.flatnonzero(np.isnan(numbers[name])):
                if cells[row].strip():
                    raise InputError(f"{columns[name].title} holds {cells[row]!r} in row {row + 1}; expected a number, "
                                     "or an empty cell for a missing one")
    return pd.DataFrame(numbers, index=images)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
