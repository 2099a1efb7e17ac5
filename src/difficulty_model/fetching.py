"""Downloads of the published predictions, from their publishers, checked against checksums.

The registries in ``releases/`` give the path, the SHA-256 and the address of every file. The checksums are
those of copies of the releases that this package was tested on. The addresses name the publishers'
repositories, and the commits in which a public index lists these paths; of the labels of CIFAR-10.1 that
index knows two versions, so they are taken from the branch `master`, whose version others publish the MD5 of,
and it is that of our copy. The release of CIFAR-10.1 leaves out the labels of CIFAR-10's own test set: those
come from the release of a study of label errors (Northcutt et al., 2021), which stores them unchanged. That
the addresses answer could not be tried when this was written; should a publisher's file ever differ, its
checksum says so and nothing of it is kept.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from difficulty_model.errors import InputError, unknown_name

if TYPE_CHECKING:
    from pooch import Pooch

REGISTRIES = Path(__file__).parent / "releases"
"""Folder of the registries, one file ``<release>.txt`` each."""

RELEASES = ("imagenetv2", "cifar10.1")
"""Releases that can be fetched; their readers have the same names."""


def fetch(release: str, folder: Path | str) -> Path:
    """Download a published release into the layout that its reader reads.

    Files that are there already and right are not downloaded again, so that a fetch that was cut off goes on
    where it stopped; every other file is written whole or not at all.

    Parameters
    ----------
    release
        One of `RELEASES`: ``imagenetv2`` is 185 MB in 205 files, ``cifar10.1`` is 2 MB in 62.
    folder
        Where to put the files; made if need be.

    Returns
    -------
    pathlib.Path
        The folder, to be given to the reader.

    Raises
    ------
    InputError
        If there is no such release, the publisher cannot be reached, or a file is not the one that was
        published.
    """
    if release not in RELEASES:
        raise unknown_name("release", release, RELEASES)
    folder = Path(folder)
    registry = _registry(release, folder)
    for name in tqdm(registry.registry_files, desc=f"fetching {release}", unit="file"):
        _fetch_file(registry, name)
    return folder


def _registry(release: str, folder: Path) -> "Pooch":
    import pooch  # slow to import, and only needed here

    pooch.get_logger().setLevel("WARNING")  # the bar tells what two hundred lines would
    registry = pooch.create(path=folder, base_url="")
    registry.load_registry(REGISTRIES / f"{release}.txt")
    return registry


def _fetch_file(registry: "Pooch", name: str) -> None:
    from requests import RequestException

    try:
        registry.fetch(name)
    except RequestException as error:
        raise InputError(f"cannot download {registry.get_url(name)}: {error}; check the connection and run "
                         "the same again: files that are complete are not downloaded twice") from error
    except ValueError as error:  # how pooch says that a checksum differs
        raise InputError(f"{registry.get_url(name)} is not the file that was published, or came incomplete; "
                         "nothing of it was kept: run the same again, report it if that fails too") from error
    except OSError as error:
        raise InputError(f"cannot write {registry.abspath / name}: {error.strerror or error}; give a folder "
                         "that can be written to") from error
