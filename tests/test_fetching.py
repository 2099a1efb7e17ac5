import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from difficulty_model import fetching
from difficulty_model.errors import InputError
from difficulty_model.fetching import RELEASES, fetch
from difficulty_model.readers import LAYOUTS


@dataclass
class Publisher:
    """A server on this machine, with the list of what was asked of it."""

    url: str
    files: Path
    asked: list[str]


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args, asked: list[str], **kwargs):
        self.asked = asked
        super().__init__(*args, **kwargs)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        self.asked.append(self.path)


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    files = tmp_path / "published"
    (files / "data").mkdir(parents=True)
    (files / "data" / "a.json").write_text("[1]")
    (files / "b.npy").write_bytes(bytes(1000))
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(files), asked=asked))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    registries = tmp_path / "registries"
    registries.mkdir()
    lines = [f"{path} {hashlib.sha256((files / path).read_bytes()).hexdigest()} {url}/{path}"
             for path in ("data/a.json", "b.npy")]
    (registries / "imagenetv2.txt").write_text("\n".join(lines))
    monkeypatch.setattr(fetching, "REGISTRIES", registries)
    yield Publisher(url, files, asked)
    server.shutdown()
    thread.join()
    server.server_close()


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_fetched_is_what_was_published_and_is_fetched_once(publisher: Publisher, tmp_path: Path):
    folder = fetch("imagenetv2", tmp_path / "here" / "below")
    assert folder == tmp_path / "here" / "below"
    assert content(folder) == content(publisher.files)
    assert len(publisher.asked) == 2
    fetch("imagenetv2", folder)
    assert len(publisher.asked) == 2
    (folder / "b.npy").write_bytes(b"damaged")
    fetch("imagenetv2", folder)
    assert len(publisher.asked) == 3
    assert content(folder) == content(publisher.files)


def test_nothing_is_kept_of_a_file_that_differs(publisher: Publisher, tmp_path: Path):
    (publisher.files / "b.npy").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"b\.npy is not the file that was published"):
        fetch("imagenetv2", tmp_path / "here")
    assert set(content(tmp_path / "here")) == {"data/a.json"}


def test_a_file_that_is_gone_is_named_and_fetching_goes_on_afterwards(publisher: Publisher, tmp_path: Path):
    (publisher.files / "b.npy").rename(tmp_path / "b.npy")
    with pytest.raises(InputError, match=r"cannot download http.*/b\.npy: 404"):
        fetch("imagenetv2", tmp_path / "here")
    (tmp_path / "b.npy").rename(publisher.files / "b.npy")
    publisher.asked.clear()
    fetch("imagenetv2", tmp_path / "here")
    assert [line for line in publisher.asked if "a.json" in line] == []
    assert content(tmp_path / "here") == content(publisher.files)


def test_without_a_connection_there_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nobody = "http://127.0.0.1:9"
    (tmp_path / "cifar10.1.txt").write_text(f"a.json {'0' * 64} {nobody}/a.json")
    monkeypatch.setattr(fetching, "REGISTRIES", tmp_path)
    with pytest.raises(InputError, match=r"cannot download .*check the connection"):
        fetch("cifar10.1", tmp_path / "here")


def test_a_folder_that_cannot_be_written_is_an_input_error(publisher: Publisher, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        fetch("imagenetv2", tmp_path / "file" / "below")
    assert publisher.asked == []


def test_only_releases_with_a_reader_can_be_fetched(tmp_path: Path):
    assert set(RELEASES) <= set(LAYOUTS)
    with pytest.raises(InputError, match=r"no release named 'imagenet2'; nearest.*'imagenetv2'"):
        fetch("imagenet2", tmp_path)


@pytest.mark.parametrize("release", RELEASES)
def test_registries_name_every_file_once_over_https(release: str):
    lines = (fetching.REGISTRIES / f"{release}.txt").read_text().splitlines()
    paths, checksums, urls = zip(*(line.split(" ") for line in lines), strict=True)
    assert len(set(paths)) == len(paths)
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in checksums)
    for url, path in zip(urls, paths, strict=True):
        assert url.startswith("https://")
        assert url.endswith(f"/{path}")


@pytest.mark.parametrize("release", RELEASES)
def test_registries_hold_the_checksums_of_the_releases(release: str, real_data: Path):
    lines = (fetching.REGISTRIES / f"{release}.txt").read_text().splitlines()
    registered = {line.split(" ")[0]: line.split(" ")[1] for line in lines}
    released = content(real_data / release)
    assert registered == {path: hashlib.sha256(data).hexdigest() for path, data in released.items()}
