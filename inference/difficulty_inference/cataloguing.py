"""Cataloguing: from a folder or an array of images to a manifest."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from difficulty_inference.manifest import NAME, Manifest, array_content, content_id, file_content
from difficulty_inference.test_sets import FORMATS, read_images_array
from difficulty_model.errors import InputError, unknown_name
from difficulty_model.files import existing, read_npy

READERS = 8
"""Threads that read files: most of the time they wait for the disk."""

WHOLE = re.compile(r"[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
WNID = re.compile(r"n[0-9]{8}")
SEPARATORS = re.compile(r"[,;\s]+")

IMAGES = "images with a suffix that Pillow reads, such as .jpeg or .png"


@dataclass(frozen=True)
class Catalogue:
    """The images that were found, and what is to be known about them.

    Attributes
    ----------
    manifest : Manifest
        Every content once.
    remarks : list of str
        What was assumed, ignored or left out, one sentence each.
    """

    manifest: Manifest
    remarks: list[str]


@dataclass(frozen=True)
class _Found:
    """Images in order, before their contents are known.

    Attributes
    ----------
    paths
        Where each lies, seen from the source; of rows of an array, from the folder of the source.
    labels
        Their classes.
    content
        Reads the content of the image at a place of `paths`.
    remarks
        What was assumed or ignored.
    """

    paths: Sequence[str]
    labels: Sequence[int]
    content: Callable[[int], bytes]
    remarks: list[str]


def catalogue(source: Path, *, labels: Path | None = None, classes: Path | None = None, root: Path) -> Catalogue:
    """Return the manifest of the images in a folder or an array.

    Parameters
    ----------
    source
        A folder with one folder for each class, in which images lie at any depth; or a folder of images; or a
        ``.npy`` array of images, as `read_images_array` reads it. Hidden files and folders do not count.
    labels
        For a folder of images: a text file whose lines are the name of an image, with or without suffix, and its
        class; or just the classes, of all images in the order of their names. For an array: a ``.npy`` array of
        classes.
    classes
        A text file with the name of one class on every line, in the order in which the models number them. Without
        it, names that are whole numbers are those numbers, and other names are numbered in their sorted order.
    root
        The folder of the manifest to be written: its paths start there.

    Returns
    -------
    Catalogue
        Images of class folders by class, then by path; of one folder by path; of an array by row. Numbers in paths
        sort as numbers. Of images of equal content only the first is kept.

    Raises
    ------
    InputError
        If there are no images, they are laid out in another way, a file is unreadable, an image has no class or
        several, or a class has no number.
    """
    try:
        source = existing(source, "a folder of images or a .npy array of them").resolve()
        found = (_in_folder if source.is_dir() else _in_array)(source, labels, classes)
        ids = _hashed(found)
    except OSError as error:
        raise InputError(f"{error.filename or source} cannot be read: {error.strerror or error}; mend or remove it, "
                         "and make the manifest again") from error
    kept, remarks = _first_of_each(ids, found)
    # Both ends are resolved, since ".." leads elsewhere where a folder is a link.
    start = Path(os.path.relpath(source if source.is_dir() else source.parent, root.resolve())).as_posix()
    manifest = Manifest(
        np.array([ids[i] for i in kept], np.str_),
        np.array([str(PurePosixPath(start, found.paths[i])) for i in kept], np.str_),
        np.array([found.labels[i] for i in kept], np.int64),
    )
    return Catalogue(manifest, [*found.remarks, *remarks])


def _in_folder(source: Path, labels: Path | None, classes: Path | None) -> _Found:
    """Return the images of a folder, be they in class folders or not."""
    folders, files = _entries(source)
    images, others = _images_among(files)
    if folders and images:
        raise InputError(f"{source} holds both folders ({_some([f.name for f in folders])}) and images "
                         f"({_some([f.name for f in images])}); expected one folder for each class or images only: "
                         "move either away")
    if folders and labels:
        raise InputError(f"{source} holds folders ({_some([f.name for f in folders])}), which tell the classes, and "
                         "`labels` were given too; leave them out, or give a folder of images only")
    if folders:
        of_class = {folder.name: _images_among(_files_below(folder, ())) for folder in folders}
        others += [path for _, more in of_class.values() for path in more]
        images, numbers, remarks = _by_class({name: inside for name, (inside, _) in of_class.items()}, source, classes)
    elif not images:
        raise InputError(f"{source} holds no images; expected {IMAGES}, in one folder for each class or all together "
                         "(arrays are given one by one)")
    elif not labels:
        raise InputError(f"{source} holds images ({_some([f.name for f in images])}) but no folders that tell their "
                         "classes; give `labels`, a text file with an image and its class on every line")
    else:
        images = sorted(images, key=lambda path: _natural(path.name))
        numbers, remarks = _labelled(images, labels, classes)
    known = {source / NAME, *(path.resolve() for path in (labels, classes) if path)}
    strange = [path.relative_to(source).as_posix() for path in others if path not in known]
    if strange:
        remarks.append(f"files that are no images, ignored: {len(strange)} ({_some(strange)})")
    paths = [path.relative_to(source).as_posix() for path in images]
    return _Found(paths, numbers, lambda i: file_content(images[i]), remarks)


def _in_array(source: Path, labels: Path | None, classes: Path | None) -> _Found:
    """Return the images that are the rows of an array."""
    if source.suffix != ".npy":
        raise InputError(f"{source} is a file; expected a folder of images, or a .npy array of them")
    images = read_images_array(source)
    if not labels:
        raise InputError(f"{source} does not tell the classes of its {len(images)} images; give `labels`, a .npy array "
                         "of them")
    answers = read_npy(labels)
    if answers.dtype.kind not in "iuU" or answers.shape != (len(images),):
        raise InputError(f"{labels} has shape {answers.shape} and type {answers.dtype}; expected one whole number or "
                         f"text for each of the {len(images)} images of {source}")
    names = list(map(str, answers.tolist()))
    numbers, remarks = _numbers_of_labels(names, labels, classes)
    paths = [f"{source.name}[{row}]" for row in range(len(images))]
    return _Found(paths, numbers, lambda i: array_content(images[i]), remarks)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files in a folder that are not hidden, in the order of their names."""
    with os.scandir(folder) as entries:
        seen = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    return (
        [folder / name for name, is_folder in seen if is_folder],
        [folder / name for name, is_folder in seen if not is_folder],
    )


def _files_below(folder: Path, above: Collection[Path]) -> Iterator[Path]:
    """Yield the files at any depth; `above` are the folders on the way down, without links."""
    real = folder.resolve()
    if real in above:
        raise InputError(f"{folder} is a link to {real}, in which it lies itself; remove the link")
    folders, files = _entries(folder)
    yield from files
    for inner in folders:
        yield from _files_below(inner, {*above, real})


def _images_among(files: Iterator[Path] | Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return those files that are images by their suffix, and the others."""
    images, others = [], []
    for path in files:
        (images if path.suffix.lower() in _suffixes() else others).append(path)
    return images, others


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


def _by_class(
    of_class: Mapping[str, list[Path]], source: Path, classes: Path | None
) -> tuple[list[Path], list[int], list[str]]:
    """Return the images of class folders in order, their classes, and remarks."""
    names = sorted(name for name, images in of_class.items() if images)
    empty = sorted(set(of_class) - set(names))
    if not names:
        raise InputError(f"{source} holds folders ({_some(empty)}) without images; expected {IMAGES} in them")
    if empty and not classes and not all(map(WHOLE.fullmatch, names)):
        raise InputError(f"folders in {source} hold no images ({_some(empty)}), so that it is unknown whether they "
                         "count when classes are numbered by sorting; remove them, or give `classes`, the names of all")
    known = _class_names(classes)
    numbers, remarks = _by_themselves(names, source) if known is None else (_placed(names, known), [])
    if empty:
        remarks.append(f"folders without images, ignored: {len(empty)} ({_some(empty)})")
    ordered = [
        (path, numbers[name])
        for name in sorted(names, key=numbers.__getitem__)
        for path in sorted(of_class[name], key=lambda path: _natural(path.as_posix()))
    ]
    return [path for path, _ in ordered], [number for _, number in ordered], remarks


def _labelled(images: Sequence[Path], path: Path, classes: Path | None) -> tuple[list[int], list[str]]:
    """Return the class of every image by a text file, and remarks."""
    lines = [[field for field in SEPARATORS.split(line) if field] for line in _lines(path, "a text file of labels")]
    if all(len(fields) < 2 for fields in lines):
        names, remarks = _names_in_order(images, [field for fields in lines for field in fields], path)
    else:
        names, remarks = _names_by_image(images, lines, path)
    numbers, more = _numbers_of_labels(names, path, classes)
    return numbers, remarks + more


def _names_in_order(images: Sequence[Path], names: list[str], path: Path) -> tuple[list[str], list[str]]:
    """Return the names of classes in the order of the images' names, and a remark if that order is not plain."""
    files = [image.name for image in images]
    if set(files) & set(names):
        raise InputError(f"{path} names images ({_some(names)}) and no classes; expected both on every line")
    if len(names) != len(images):
        raise InputError(f"{path} holds {len(names)} classes for {len(images)} images; expected one for each, in the "
                         "order of the images' names, or an image and its class on every line")
    if files == sorted(files):
        return names, []
    return names, [f"labels are taken to follow the images with numbers sorted as numbers: {_some(files)}"]


def _names_by_image(
    images: Sequence[Path], lines: Sequence[list[str]], path: Path
) -> tuple[list[str], list[str]]:
    """Return the name of the class of every image by lines that name both, and a remark about their header."""
    with_name = {image.name: place for place, image in enumerate(images)}
    with_stem = defaultdict[str, list[int]](list)
    for place, image in enumerate(images):
        with_stem[image.stem].append(place)
    names: dict[int, str] = {}
    absent: list[str] = []
    remarks: list[str] = []
    for number, fields in enumerate(lines, start=1):
        if not fields:
            continue
        places = [with_name[fields[0]]] if fields[0] in with_name else with_stem.get(fields[0], [])
        if len(places) > 1:
            raise InputError(f"line {number} of {path} is about {fields[0]!r}, which may be any of "
                             f"{_some([images[place].name for place in places])}; write the suffix too")
        if not places and number == 1 and Path(fields[0]).suffix.lower() not in _suffixes():
            header = " ".join(fields)
            remarks.append(f"the first line of {path.name} names no image, and was taken for a header: {header!r}")
        elif not places:
            absent.append(fields[0])
        elif len(fields) < 2:
            raise InputError(f"line {number} of {path} names image {fields[0]!r} but no class; expected both")
        elif places[0] in names:
            raise InputError(f"line {number} of {path} names image {fields[0]!r} once more; expected every image once")
        else:
            names[places[0]] = fields[1]
    if absent:
        raise InputError(f"{path} labels {len(absent)} images that are not there ({_some(absent)}); there are "
                         f"{_some([image.name for image in images])}, and lines are split at commas and blanks")
    missing = [image.name for place, image in enumerate(images) if place not in names]
    if missing:
        raise InputError(f"{path} has no label for {len(missing)} of {len(images)} images ({_some(missing)}); add "
                         "them, or move the images away")
    return [names[place] for place in range(len(images))], remarks


def _numbers_of_labels(names: Sequence[str], path: Path, classes: Path | None) -> tuple[list[int], list[str]]:
    """Return the number of every label, and remarks; `classes` serves labels that are no numbers."""
    different, known = sorted(set(names)), _class_names(classes)
    if known is None or all(map(WHOLE.fullmatch, different)):
        numbers, remarks = _by_themselves(different, path)
    else:
        numbers, remarks = _placed(different, known), []
    if known is not None and max(numbers.values()) >= len(known):
        raise InputError(f"{path} has class {max(numbers.values())}, and {classes} names {len(known)} classes, "
                         f"numbered from 0; give labels and classes that belong together")
    return [numbers[name] for name in names], remarks


def _placed(names: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Return the place of every name among the known ones."""
    place = {name: number for number, name in enumerate(known)}
    for name in names:
        if name not in place:
            raise unknown_name("class", name, known)
    return {name: place[name] for name in names}


def _by_themselves(names: Sequence[str], where: Path) -> tuple[dict[str, int], list[str]]:
    """Return the number of every class by its name alone, and what was assumed; `names` are sorted."""
    numeric = [name for name in names if NUMBER.fullmatch(name)]
    odd = [name for name in names if not WHOLE.fullmatch(name)]
    if odd and numeric:
        raise InputError(f"class {odd[0]!r} in {where}, beside numbers ({_some(numeric)}), is no whole number from 0; "
                         "number all classes, or give `classes`, the names of all in order")
    if odd:
        last = len(names) - 1
        hint = "give `classes`, the names of all in order, if the models number them otherwise"
        if all(map(WNID.fullmatch, names)) and len(names) != 1000:
            hint = "models of ImageNet tell 1,000 apart: for them give `classes`, the wnids of all in order"
        return (
            {name: number for number, name in enumerate(names)},
            [f"{len(names)} classes are numbered in the order of their names, from {names[0]!r} (0) to {names[-1]!r} "
             f"({last}); {hint}"],
        )
    name_of: dict[int, str] = {}
    for name in names:
        if name_of.setdefault(int(name), name) != name:
            raise InputError(f"classes {name_of[int(name)]!r} and {name!r} in {where} are one number; expected one "
                             "name for each class: rename one")
    first = min(name_of)
    remarks = [f"the first class is {first}, and models number classes from 0; was another count meant?"]
    return {name: number for number, name in name_of.items()}, remarks if first else []


def _class_names(path: Path | None) -> list[str] | None:
    """Return the names of all classes in a file, in order."""
    if path is None:
        return None
    names = [line.strip() for line in _lines(path, "a text file with the name of one class on every line")]
    if "" in names:
        raise InputError(f"line {names.index('') + 1} of {path} is empty; expected the name of one class on every line")
    line_of: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if line_of.setdefault(name, number) != number:
            raise InputError(f"{path} names class {name!r} twice, on lines {line_of[name]} and {number}; expected "
                             "every class once")
    return names


def _lines(path: Path, expected: str) -> list[str]:
    """Return the lines of a text file, without empty ones at its end."""
    try:
        return existing(path, expected).read_text(encoding="utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error}; expected {expected}") from error


def _hashed(found: _Found) -> list[str]:
    """Return the id of every image. Every file is read once, and only few are in memory at a time."""
    with ThreadPool(READERS) as pool:
        ids = pool.imap(lambda i: content_id(found.content(i)), range(len(found.paths)), chunksize=32)
        return list(tqdm(ids, "Reading", len(found.paths), unit="image", disable=None))


def _first_of_each(ids: Sequence[str], found: _Found) -> tuple[list[int], list[str]]:
    """Return the places of the first image of every content, and remarks about the others."""
    first: dict[str, int] = {}
    repeats = [(place, first[image]) for place, image in enumerate(ids) if first.setdefault(image, place) != place]
    remarks = []
    if repeats:
        pairs = [f"{found.paths[again]} is {found.paths[kept]}" for again, kept in repeats]
        remarks.append(f"images of a content that came before, left out: {len(repeats)} ({_some(pairs)})")
    differing = [
        f"{found.paths[again]} has {found.labels[again]}, {found.paths[kept]} has {found.labels[kept]}"
        for again, kept in repeats if found.labels[again] != found.labels[kept]
    ]
    if differing:
        remarks.append(f"of these, images of another class than the one kept: {len(differing)} ({_some(differing)})")
    return list(first.values()), remarks


def _natural(path: str) -> tuple[list[str | int], str]:
    """Return what a path is sorted by, so that numbers in it count as numbers."""
    parts = re.split(r"([0-9]+)", path)  # text and digits in turn
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], path


def _some(names: Sequence[str]) -> str:
    """Return the first few names, quoted so that any of them can be printed."""
    return ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")
