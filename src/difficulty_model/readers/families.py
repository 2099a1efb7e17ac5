"""Tables of models' families: columns `model` and `family`."""

from pathlib import Path

from difficulty_model.errors import InputError
from difficulty_model.readers._tables import column_names, read_columns, require_columns


def read_families(path: Path | str) -> dict[str, str]:
    """Return the family of every model named in a CSV or Parquet table; `Responses.with_families` takes it.

    Raises
    ------
    InputError
        If the file cannot be read, has no columns `model` and `family`, a cell is empty, or a model stands twice.
    """
    path = Path(path)
    require_columns(path, column_names(path), ["model", "family"])
    columns = read_columns(path, ["model", "family"])
    models, families = (columns[name].filled().cells() for name in ("model", "family"))
    known: dict[str, str] = {}
    for model, family in zip(models, families, strict=True):
        if model in known:
            raise InputError(f"{path} has model {model!r} more than once; expected one row per model")
        known[model] = family
    return known
