"""The release of ImageNetV2: top-5 class ids of many models on several test sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing, read_json, read_npy
from difficulty_model.readers._paths import Paths, only
from difficulty_model.responses import NOT_STORED, Responses, combine
from difficulty_model.types import IntArray

_RELEASE = "the folder of the ImageNetV2 release, with data/datasets, data/metadata and data/predictions"


def read_imagenetv2(paths: Paths, *, test_sets: Sequence[str] | None = None, top_k: int = 1) -> Responses:
    """Read predictions in the layout of the ImageNetV2 release.

    ``data/datasets/<test set>.json`` lists the images and their wnids, ``data/metadata/class_info.json`` the
    class id of every wnid, and ``data/predictions/<test set>/<model>.npy`` the class ids that a model
    predicted, best first, one row per image in the order of the list. Images of the same id are one image in
    whichever test set. The position of the right class is kept, so that responses can be scored by another k
    afterwards, and the class predicted first; labels are wnids.

    A model of which the file is missing in some test sets, in exactly which, and only there, stands a file of
    the same name with a further part, is taken as one model spelt in two ways. It gets the name that most
    test sets use, and the history says so; where neither does, the two stay apart, and the history says that
    too.

    Parameters
    ----------
    paths
        The folder that holds the release's ``data``, or ``data`` itself.
    test_sets
        Names of the test sets to read, in this order, the first becoming the reference. If not given: all
        that have both a list and predictions, the largest first, those of one size by name.
    top_k
        Number of leading predictions that count as right, at most as many as are stored.

    Raises
    ------
    InputError
        If a file is missing, broken, of another length than the list of images, or holds something else than
        class ids; if an image stands twice in a list or a wnid is unknown.
    """
    folder = only(paths, _RELEASE)
    data = folder / "data" if (folder / "data").is_dir() else folder
    predictions, spellings = _one_spelling(_prediction_files(data))
    for name in test_sets or ():
        if name not in predictions:
            raise unknown_name("test set with a list of images and predictions", name, predictions)
    class_ids = _class_ids(data / "metadata" / "class_info.json")
    lists = {
        name: _images(data / "datasets" / f"{name}.json", class_ids) for name in test_sets or predictions
    }
    order = test_sets or sorted(lists, key=lambda name: (-len(lists[name]), name))
    parts = [
        _read(name, lists[name], class_ids, predictions[name], top_k=top_k).noting(*spellings.get(name, ()))
        for name in order
    ]
    return combine(*parts) if len(parts) > 1 else parts[0]


def _prediction_files(data: Path) -> dict[str, dict[str, Path]]:
    """Return the file of every model, for every test set that has both a list and predictions."""
    folders = [f for f in sorted(existing(data / "predictions", _RELEASE).glob("*")) if f.is_dir()]
    files = {
        folder.name: {file.stem: file for file in sorted(folder.glob("*.npy"))}
        for folder in folders if (data / "datasets" / f"{folder.name}.json").exists()
    }
    files = {name: models for name, models in files.items() if models}
    if not files:
        raise InputError(f"no test set in {data} has both datasets/<test set>.json and predictions/<test "
                         f"set>/*.npy; found predictions for {[f.name for f in folders]}")
    return files


def _one_spelling(
    files: Mapping[str, Mapping[str, Path]],
) -> tuple[dict[str, dict[str, Path]], dict[str, list[str]]]:
    """Return the files under one name per model, and the lines to note for each test set."""
    names = {model for models in files.values() for model in models}
    sets_of = {model: {s for s in files if model in files[s]} for model in names}
    partial = sorted(model for model, sets in sets_of.items() if len(sets) < len(files))
    pairs = [
        (short, extended) for short in partial for extended in partial
        if extended.startswith((f"{short}_", f"{short}-", f"{short}."))
        and not sets_of[short] & sets_of[extended] and len(sets_of[short] | sets_of[extended]) == len(files)
    ]
    named = [model for pair in pairs for model in pair]
    renamed = {name: dict(models) for name, models in files.items()}
    notes: dict[str, list[str]] = {}
    for pair in pairs:
        if any(named.count(model) > 1 for model in pair):
            continue  # several candidates: no telling which
        usual, rare = sorted(pair, key=lambda model: -len(sets_of[model]))
        for name in sets_of[rare]:
            if len(sets_of[usual]) > len(sets_of[rare]):
                renamed[name][usual] = renamed[name].pop(rare)
                line = f"model {usual!r} is spelt {rare!r} in {name}: read as one model"
            else:
                line = (f"models {usual!r} and {rare!r} are never in one test set: perhaps one model, "
                        "read as two")
            notes.setdefault(name, []).append(line)
    return renamed, notes


def _class_ids(path: Path) -> dict[str, int]:
    content = read_json(path)
    try:
        class_ids = {entry["wnid"]: entry["cid"] for entry in content}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not a list of classes, each with `wnid` and `cid`: {error!r}") from error
    if not class_ids or not all(type(cid) is int and cid >= 0 for cid in class_ids.values()):
        raise InputError(f"{path} holds class ids that are not whole numbers from 0, or none at all")
    return class_ids


def _images(path: Path, class_ids: Mapping[str, int]) -> dict[str, str]:
    """Return the wnid of every image of a test set, in the order of its list."""
    content = read_json(path)
    pairs = content.get("image_filenames") if isinstance(content, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise InputError(f"{path} has no list `image_filenames`; expected pairs of image id and wnid in it")
    wnid_of: dict[str, str] = {}
    for row, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise InputError(f"entry {row} of `image_filenames` in {path} is {str(pair)[:60]}; "
                             "expected [image id, wnid]")
        image, wnid = pair
        if image in wnid_of:
            raise InputError(f"image {image!r} stands twice in {path}; expected every image once")
        if wnid not in class_ids:
            raise InputError(f"image {image!r} in {path} has wnid {wnid!r}, which class_info.json "
                             "does not list")
        wnid_of[image] = wnid
    return wnid_of


def _read(
    test_set: str, wnid_of: Mapping[str, str], class_ids: Mapping[str, int], files: Mapping[str, Path],
    *, top_k: int,
) -> Responses:
    labels = np.array([class_ids[wnid] for wnid in wnid_of.values()])
    largest = max(class_ids.values())
    answers = [_answers(file, labels, largest, top_k) for file in files.values()]
    position, predicted = (np.array(of_models) for of_models in zip(*answers, strict=True))
    return Responses.from_arrays(
        (position != NOT_STORED) & (position < top_k), models=list(files), images=list(wnid_of),
        member={test_set: np.ones(len(wnid_of), bool)}, position=position, predicted=predicted, top_k=top_k,
        labels=list(wnid_of.values()),
        history=[f"read {len(files)} models on {len(wnid_of)} images of {test_set} from "
                 f"{next(iter(files.values())).parent}"],
    )


def _answers(path: Path, labels: IntArray, largest: int, top_k: int) -> tuple[IntArray, IntArray]:
    """Return, for every image, the rank from 0 of the right class among those that a model predicted, and the first."""
    title = f"predictions of model {path.stem!r} on {path.parent.name} ({path})"
    predictions = read_npy(path)
    if predictions.dtype.kind not in "iu":
        raise InputError(f"{title} are of type {predictions.dtype}, the first "
                         f"{predictions.flat[:1].tolist()}; expected whole numbers, the predicted class ids")
    if predictions.ndim not in (1, 2) or predictions.shape[0] != len(labels):
        raise InputError(f"{title} have shape {predictions.shape}; expected {len(labels)} rows, one per "
                         "image, of the class ids predicted, best first")
    predictions = predictions.reshape(len(labels), -1)
    stored = predictions.shape[1]
    if not 1 <= top_k <= stored:
        raise InputError(f"top_k={top_k} was asked for, but the {title} store {stored}; give 1 to {stored}")
    outside = (predictions < 0) | (predictions > largest)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise InputError(f"{title} hold {predictions[row, column]} in row {row}, column {column}; expected "
                         f"class ids from 0 to {largest}")
    hit = predictions == labels[:, None]
    return np.where(hit.any(1), hit.argmax(1), NOT_STORED), predictions[:, 0]
