"""Cataloguing: every image with its right class whatever the layout, and one clear sentence where that cannot be."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from difficulty_inference.cataloguing import Catalogue, catalogue
from difficulty_inference.manifest import content_id, read_manifest, write_manifest
from difficulty_inference.test_sets import TestSet, load_test_set
from difficulty_model.errors import InputError


def made(folder: Path, *names: str) -> Path:
    """A folder with files, each holding its own name, which is all that cataloguing looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
    return folder


def text(folder: Path, *lines: str) -> Path:
    """A text file beside the images."""
    path = folder / "lines.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def classes_of(made: Catalogue) -> dict[str, int]:
    return dict(zip(made.manifest.paths.tolist(), made.manifest.labels.tolist(), strict=True))


def order_of(made: Catalogue) -> list[str]:
    return made.manifest.paths.tolist()


# ---- class folders


def test_numbered_folders_are_classes_by_number_and_never_by_text(tmp_path):
    folders = [f"{k}/a.jpeg" for k in range(1000)]
    found = catalogue(made(tmp_path / "set", *folders), root=tmp_path / "set")
    assert order_of(found) == folders
    assert found.manifest.labels.tolist() == list(range(1000))
    assert found.remarks == []


def test_padded_numbers_are_numbers(tmp_path):
    found = catalogue(made(tmp_path, "000/a.png", "010/b.png", "002/c.png"), root=tmp_path)
    assert classes_of(found) == {"000/a.png": 0, "002/c.png": 2, "010/b.png": 10}


def test_two_spellings_of_a_number_are_refused(tmp_path):
    with pytest.raises(InputError, match="'01' and '1' .* are one number"):
        catalogue(made(tmp_path, "1/a.png", "01/b.png"), root=tmp_path)


@pytest.mark.parametrize("odd", ["extra", "-1", "2.0", "1" * 19])
def test_numbers_beside_other_names_are_refused(tmp_path, odd):
    with pytest.raises(InputError, match=rf"class '{odd}' .* is no whole number"):
        catalogue(made(tmp_path, "0/a.png", "10/b.png", f"{odd}/c.png"), root=tmp_path)


def test_a_number_that_is_no_class_is_refused(tmp_path):
    with pytest.raises(InputError, match="20240101000 .* is no class"):
        catalogue(made(tmp_path, "0/a.png", "20240101000/b.png"), root=tmp_path)


def test_numbers_that_start_at_1_are_remarked_on(tmp_path):
    found = catalogue(made(tmp_path, "1/a.png", "2/b.png"), root=tmp_path)
    assert classes_of(found) == {"1/a.png": 1, "2/b.png": 2}
    assert [remark for remark in found.remarks if "first class is 1" in remark]


def test_names_are_numbered_in_sorted_order_which_is_said(tmp_path):
    found = catalogue(made(tmp_path, "cat/a.png", "Zebra/b.png", "ant/c.png"), root=tmp_path)
    assert classes_of(found) == {"Zebra/b.png": 0, "ant/c.png": 1, "cat/a.png": 2}  # as Python and ImageFolder sort
    (remark,) = found.remarks
    assert remark.startswith("3 classes")
    assert "'Zebra' (0) to 'cat' (2)" in remark
    assert "`classes`" in remark


@pytest.mark.parametrize(("count", "warned"), [(3, True), (1000, False)])
def test_wnids_that_are_not_a_thousand_are_remarked_on(tmp_path, count, warned):
    wnids = [f"n{10_000_000 + 7 * i:08d}" for i in range(count)]
    found = catalogue(made(tmp_path, *(f"{wnid}/x.JPEG" for wnid in wnids)), root=tmp_path)
    assert found.manifest.labels.tolist() == list(range(count))
    (remark,) = found.remarks
    assert ("models of ImageNet" in remark) == warned


@settings(deadline=None, max_examples=20)
@given(st.permutations(["dog", "cat", "10", "9", "great white shark"]))
def test_a_list_of_classes_decides(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    folder = tmp_path_factory.mktemp("listed")
    found = catalogue(
        made(folder / "set", "dog/a.png", "10/b.png", "great white shark/c.png"),
        classes=text(folder, *names), root=folder / "set",
    )
    assert classes_of(found) == {
        "dog/a.png": names.index("dog"), "10/b.png": names.index("10"),
        "great white shark/c.png": names.index("great white shark"),
    }
    assert found.manifest.labels.tolist() == sorted(found.manifest.labels.tolist())
    assert found.remarks == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["cat", "dgo"], "no class named 'dog'; nearest.*'dgo'"),
        (["cat", "dog", "cat"], "'cat' twice, on lines 1 and 3"),
        (["cat", "", "dog"], "line 2 .* is empty"),
        ([], "line 1 .* is empty"),
    ],
)
def test_a_list_of_classes_must_name_each_once(tmp_path, lines, says):
    source = made(tmp_path / "set", "cat/a.png", "dog/b.png")
    with pytest.raises(InputError, match=says):
        catalogue(source, classes=text(tmp_path, *lines), root=source)


def test_images_are_found_at_any_depth_by_any_suffix_that_is_read(tmp_path):
    found = catalogue(
        made(tmp_path, "0/a.JPEG", "0/deep/er/b.Png", "0/c.webp", "1/x/d.tif", "0/notes.txt", "1/e.npy", "1/none",
             "1/page.pdf", "readme.md", ".hidden.png", "0/._a.JPEG", "0/.thumbs/t.png", ".git/g.png"),
        root=tmp_path,
    )
    assert classes_of(found) == {"0/a.JPEG": 0, "0/c.webp": 0, "0/deep/er/b.Png": 0, "1/x/d.tif": 1}
    assert [remark for remark in found.remarks if remark.startswith("files that are no images, ignored: 5 (")]


def test_the_manifest_and_the_given_lists_are_not_strange_files(tmp_path):
    made(tmp_path, "a/a.png", "b/b.png", "manifest.csv")
    found = catalogue(tmp_path, classes=text(tmp_path, "b", "a"), root=tmp_path)
    assert classes_of(found) == {"a/a.png": 1, "b/b.png": 0}
    assert found.remarks == []


def test_numbers_in_paths_sort_as_numbers(tmp_path):
    names = ["2/1.png", "2/9.png", "2/10.png", "2/s2/7.png", "2/s10/3.png", "10/8.png", "10/08b.png"]
    assert order_of(catalogue(made(tmp_path, *reversed(names)), root=tmp_path)) == names


def test_folders_without_images_are_told_where_they_cannot_shift_classes(tmp_path):
    made(tmp_path / "set", "0/a.png", "2/b.png", "__MACOSX/.c.png").joinpath("1").mkdir()
    found = catalogue(tmp_path / "set", root=tmp_path / "set")
    assert classes_of(found) == {"0/a.png": 0, "2/b.png": 2}
    assert found.remarks == ["folders without images, ignored: 2 ('1', '__MACOSX')"]


def test_folders_without_images_are_refused_where_they_could(tmp_path):
    source = made(tmp_path / "set", "ant/a.png", "cat/b.png")
    (source / "__MACOSX").mkdir()
    with pytest.raises(InputError, match="hold no images .'__MACOSX'.*`classes`"):
        catalogue(source, root=source)
    found = catalogue(source, classes=text(tmp_path, "ant", "bat", "cat"), root=source)
    assert classes_of(found) == {"ant/a.png": 0, "cat/b.png": 2}


def test_links_to_folders_are_followed(tmp_path):
    made(tmp_path / "store", "dogs/a.png", "cats/b.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "0").symlink_to(tmp_path / "store" / "cats")
    (tmp_path / "set" / "1").symlink_to(tmp_path / "store" / "dogs")
    assert classes_of(catalogue(tmp_path / "set", root=tmp_path / "set")) == {"0/b.png": 0, "1/a.png": 1}


@pytest.mark.parametrize("target", ["set", "set/0", "set/0/deep"])
def test_a_loop_of_links_is_refused(tmp_path, target):
    made(tmp_path / "set", "0/deep/a.png")
    (tmp_path / "set" / "0" / "deep" / "loop").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="is a link to .* in which it lies itself"):
        catalogue(tmp_path / "set", root=tmp_path)


@pytest.mark.parametrize("name", ["0/self.png", "0/self", "self"])
def test_a_link_to_itself_is_refused(tmp_path, name):
    made(tmp_path, "0/a.png", "1/b.png")
    (tmp_path / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        catalogue(tmp_path, root=tmp_path)


# ---- files that are unreadable, layouts that are none


def test_a_link_to_nothing_is_refused_by_name(tmp_path):
    made(tmp_path, "0/a.png")
    (tmp_path / "0" / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"gone\.png cannot be read: No such file"):
        catalogue(tmp_path, root=tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    made(tmp_path, "0/a.png")
    os.mkfifo(tmp_path / "0" / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png cannot be read: it is no regular file"):
        catalogue(tmp_path, root=tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
@pytest.mark.parametrize("name", ["1/b.png", "1"])
def test_what_may_not_be_read_is_refused_by_name(tmp_path, name):
    made(tmp_path, "0/a.png", "1/b.png")
    (tmp_path / name).chmod(0)
    try:
        with pytest.raises(InputError, match=f"{name} cannot be read: Permission denied"):
            catalogue(tmp_path, root=tmp_path)
    finally:
        (tmp_path / name).chmod(0o700)


def test_layouts_that_are_none_are_refused(tmp_path):
    labels = text(tmp_path, "a.png 0")
    with pytest.raises(InputError, match="no such file or folder"):
        catalogue(tmp_path / "absent", root=tmp_path)
    with pytest.raises(InputError, match="holds no images"):
        catalogue(made(tmp_path / "empty"), root=tmp_path)
    with pytest.raises(InputError, match="holds no images"):
        catalogue(made(tmp_path / "texts", "a.txt"), labels=labels, root=tmp_path)
    with pytest.raises(InputError, match="folders .'0', '1'. without images"):
        catalogue(made(tmp_path / "hollow", "0/a.txt", "1/b.txt"), root=tmp_path)
    with pytest.raises(InputError, match="both folders .'0'. and images .'b.png'."):
        catalogue(made(tmp_path / "mixed", "0/a.png", "b.png"), root=tmp_path)
    with pytest.raises(InputError, match="`labels` were given too"):
        catalogue(made(tmp_path / "folders", "0/a.png"), labels=labels, root=tmp_path)
    with pytest.raises(InputError, match="give `labels`"):
        catalogue(made(tmp_path / "flat", "a.png"), root=tmp_path)
    with pytest.raises(InputError, match="is a file; expected a folder"):
        catalogue(made(tmp_path, "one.png") / "one.png", root=tmp_path)


# ---- one folder with labels


FLAT = ("b.png", "a.JPEG", "img10.png", "img2.png")


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["a.JPEG,7", "b.png,0", "img2.png,1", "img10.png,3"], None),
        (["img10 3", "img2 1", "b 0", "a 7"], None),
        (["ImageId,PredictionString", "a,7 85 1 499 272 7 1 2 3 4", "b,0 1 1 1 1", "img2,1", "img10,3"], "ImageId"),
        (["image\tlabel", "a\t7", "b.png\t0", "", "img2;1;more", "img10 , 3,"], "image label"),
    ],
    ids=["csv", "blanks", "kaggle", "mixed"],
)
def test_labels_by_image(tmp_path, lines, header):
    source = made(tmp_path / "set", *FLAT)
    found = catalogue(source, labels=text(tmp_path, *lines), root=source)
    assert classes_of(found) == {"a.JPEG": 7, "b.png": 0, "img2.png": 1, "img10.png": 3}
    assert order_of(found) == ["a.JPEG", "b.png", "img2.png", "img10.png"]
    assert len(found.remarks) == (header is not None)
    assert all(f"taken for a header: '{header}" in remark for remark in found.remarks)


def test_labels_in_the_order_of_the_names(tmp_path):
    source = made(tmp_path / "set", *FLAT)
    found = catalogue(source, labels=text(tmp_path, "7", "0", "1", "3"), root=source)
    assert classes_of(found) == {"a.JPEG": 7, "b.png": 0, "img2.png": 1, "img10.png": 3}
    assert [remark for remark in found.remarks if "numbers sorted as numbers" in remark]


def test_labels_in_the_order_of_names_that_sort_plainly_need_no_remark(tmp_path):
    source = made(tmp_path / "set", "val_001.png", "val_010.png", "val_002.png")
    found = catalogue(source, labels=text(tmp_path, "5", "0", "2"), root=source)
    assert classes_of(found) == {"val_001.png": 5, "val_002.png": 0, "val_010.png": 2}
    assert found.remarks == []


def test_names_as_labels_are_sorted_or_listed(tmp_path):
    source = made(tmp_path / "set", "a.png", "b.png", "c.png")
    labels = text(tmp_path, "a n02", "b n01", "c n02")
    assert classes_of(catalogue(source, labels=labels, root=source)) == {"a.png": 1, "b.png": 0, "c.png": 1}
    listed = made(tmp_path / "lists") / "classes.txt"
    listed.write_text("n02\nn05\nn01\n")
    found = catalogue(source, labels=labels, classes=listed, root=source)
    assert classes_of(found) == {"a.png": 0, "b.png": 2, "c.png": 0}
    assert found.remarks == []


def test_numbers_as_labels_must_be_among_the_listed_classes(tmp_path):
    source = made(tmp_path / "set", "a.png", "b.png")
    listed = made(tmp_path / "lists") / "classes.txt"
    listed.write_text("cat\ndog\n")
    found = catalogue(source, labels=text(tmp_path, "a 1", "b 0"), classes=listed, root=source)
    assert classes_of(found) == {"a.png": 1, "b.png": 0}
    with pytest.raises(InputError, match="class 2, and .* names 2 classes"):
        catalogue(source, labels=text(tmp_path, "a 1", "b 2"), classes=listed, root=source)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["a 0", "b 1"], r"no label for 2 of 4 images \('img2.png', 'img10.png'\)"),
        (["a 0", "b 1", "img2 1", "img10 1", "x.png 3", "y 3"], r"labels 2 images that are not there \('x.png', 'y'\)"),
        (["x.png 0", "a 0", "b 1", "img2 1", "img10 1"], r"labels 1 images that are not there \('x.png'\)"),
        (["a 0", "b 1", "img2", "img10 1"], "line 3 .* 'img2' but no class"),
        (["a 0", "b 1", "img2 1", "img10 1", "a.JPEG 2"], "line 5 .* 'a.JPEG' once more"),
        (["a 0", "b 1", "img2 -1", "img10 1"], "class '-1' .* is no whole number"),
        (["a 0", "b 1", "img2 1.5", "img10 1"], "class '1.5' .* is no whole number"),
        (["0", "1", "2"], "3 classes for 4 images"),
        ([], "0 classes for 4 images"),
        (["a.JPEG", "b.png", "img2.png", "img10.png"], "names images .* and no classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, lines, says):
    source = made(tmp_path / "set", *FLAT)
    with pytest.raises(InputError, match=says):
        catalogue(source, labels=text(tmp_path, *lines), root=source)


def test_a_name_without_suffix_must_be_of_one_image(tmp_path):
    source = made(tmp_path / "set", "a.png", "a.jpg", "a.png.jpg")
    with pytest.raises(InputError, match="line 1 .* 'a', which may be any of 'a.jpg', 'a.png'"):
        catalogue(source, labels=text(tmp_path, "a 0", "a.jpg 1"), root=source)
    found = catalogue(source, labels=text(tmp_path, "a.png 0", "a.jpg 1", "a.png.jpg 2"), root=source)
    assert classes_of(found) == {"a.jpg": 1, "a.png": 0, "a.png.jpg": 2}


def test_labels_that_are_no_text_or_not_there_are_refused(tmp_path):
    source = made(tmp_path / "set", "a.png")
    (tmp_path / "labels.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        catalogue(source, labels=tmp_path / "labels.bin", root=source)
    with pytest.raises(InputError, match="no such file .* labels"):
        catalogue(source, labels=tmp_path / "absent.txt", root=source)
    with pytest.raises(InputError, match="cannot be read"):
        catalogue(source, labels=tmp_path, root=source)


# ---- arrays


def arrays(folder: Path, images: np.ndarray, labels: np.ndarray) -> tuple[Path, Path]:
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    return folder / "images.npy", folder / "labels.npy"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", [(12, 8, 8), (12, 8, 6, 3)], ids=["grey", "colour"])
def test_rows_of_an_array_keep_their_order_and_are_read_back(tmp_path, seed, shape):
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, shape, np.uint8), rng.integers(0, 10, 12)
    source, answers = arrays(tmp_path, images, labels)
    found = catalogue(source, labels=answers, root=tmp_path)
    assert order_of(found) == [f"images.npy[{row}]" for row in range(12)]
    np.testing.assert_array_equal(found.manifest.labels, labels)
    test_set = TestSet("array", found.manifest, tmp_path)
    for row in range(12):
        np.testing.assert_array_equal(np.asarray(test_set.image(row)), images[row])


def test_an_array_in_another_layout_of_memory_has_the_same_ids(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (5, 4, 3), np.uint8)
    source, labels = arrays(tmp_path, images, np.zeros(5, np.uint8))
    ids = catalogue(source, labels=labels, root=tmp_path).manifest.ids
    np.save(source, np.asfortranarray(images))
    np.testing.assert_array_equal(catalogue(source, labels=labels, root=tmp_path).manifest.ids, ids)


def test_text_labels_of_an_array(tmp_path):
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    source, labels = arrays(tmp_path, images, np.array(["dog", "cat", "dog"]))
    assert catalogue(source, labels=labels, root=tmp_path).manifest.labels.tolist() == [1, 0, 1]
    classes = text(tmp_path, "dog", "fox", "cat")
    found = catalogue(source, labels=labels, classes=classes, root=tmp_path)
    assert found.manifest.labels.tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros(2, np.int64), r"shape \(2,\)"),
        (np.zeros((3, 1), np.int64), r"shape \(3, 1\)"),
        (np.zeros(3), "type float64"),
        (np.zeros(3, bool), "type bool"),
        (np.array([0, -1, 1]), "class '-1' .* is no whole number"),
    ],
)
def test_labels_of_an_array_that_do_not_fit_are_refused(tmp_path, labels, says):
    source, answers = arrays(tmp_path, np.arange(12, dtype=np.uint8).reshape(3, 2, 2), labels)
    with pytest.raises(InputError, match=says):
        catalogue(source, labels=answers, root=tmp_path)


def test_an_array_needs_labels_and_images(tmp_path):
    source, labels = arrays(tmp_path, np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.zeros(3, int))
    with pytest.raises(InputError, match="give `labels`, a .npy array"):
        catalogue(source, root=tmp_path)
    with pytest.raises(InputError, match="not a readable .npy"):
        catalogue(source, labels=text(tmp_path, "0", "1", "2"), root=tmp_path)
    with pytest.raises(InputError, match="expected at least one image"):
        catalogue(labels, labels=labels, root=tmp_path)


# ---- equal contents


def test_of_equal_images_the_first_is_kept_and_the_others_are_told(tmp_path):
    made(tmp_path, *(f"{k}/{name}.png" for k in range(3) for name in "abc"))
    for again, first in [("0/c", "0/a"), ("2/a", "0/a"), ("2/b", "1/b")]:
        (tmp_path / f"{again}.png").write_text(f"{first}.png")
    found = catalogue(tmp_path, root=tmp_path)
    assert order_of(found) == ["0/a.png", "0/b.png", "1/a.png", "1/b.png", "1/c.png", "2/c.png"]
    assert len(set(found.manifest.ids.tolist())) == 6
    equal, differ = found.remarks
    assert "left out: 3 ('0/c.png is 0/a.png', '2/a.png is 0/a.png', '2/b.png is 1/b.png')" in equal
    assert "2 ('2/a.png has 2, 0/a.png has 0', '2/b.png has 2, 1/b.png has 1')" in differ


def test_equal_images_of_one_class_are_told_in_one_remark(tmp_path):
    source, labels = arrays(tmp_path, np.zeros((5, 2, 2), np.uint8), np.zeros(5, int))
    found = catalogue(source, labels=labels, root=tmp_path)
    assert order_of(found) == ["images.npy[0]"]
    (remark,) = found.remarks
    assert re.search(r"left out: 4 \('images.npy\[1\] is images.npy\[0\]', .*, …\)", remark)


# ---- from the folder of the manifest to the images


@pytest.mark.parametrize("root", ["set", ".", "other", "not/yet/there", "linked/folder"])
@pytest.mark.parametrize("source", ["set", "linked/set", "other/../set", "linked/../only"])
def test_paths_lead_from_the_manifest_to_the_images(tmp_path, monkeypatch, root, source):
    made(tmp_path / "set", "0/a.png", "1/deep/b.png")
    made(tmp_path / "other")
    made(tmp_path / "far" / "away" / "folder")
    (tmp_path / "linked").symlink_to(tmp_path / "far" / "away")
    (tmp_path / "far" / "away" / "set").symlink_to(tmp_path / "set")
    (tmp_path / "far" / "only").symlink_to(tmp_path / "set")
    monkeypatch.chdir(tmp_path)  # both may be relative
    manifest = catalogue(Path(source), root=Path(root)).manifest
    Path(root).mkdir(parents=True, exist_ok=True)
    contents = [(Path(root) / path).read_bytes() for path in manifest.paths]
    assert [content_id(content) for content in contents] == manifest.ids.tolist()
    assert contents == [b"0/a.png", b"1/deep/b.png"]


def test_a_catalogue_becomes_a_test_set(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    for place, image in enumerate(pixels):
        made(tmp_path / "set" / f"n0000000{3 - place}")
        Image.fromarray(image).save(tmp_path / "set" / f"n0000000{3 - place}" / "a.png")
    write_manifest(catalogue(tmp_path / "set", root=tmp_path).manifest, tmp_path / "list.csv")
    test_set = load_test_set("a", tmp_path / "list.csv")
    for place, image in enumerate(pixels[::-1]):
        np.testing.assert_array_equal(np.asarray(test_set.image(place)), image)
        assert test_set.manifest.labels[place] == place


odd_names = st.binary(min_size=1, max_size=12).map(os.fsdecode).filter(
    lambda name: not set("\0/") & set(name) and not name.startswith(".")
)


@pytest.mark.skipif(os.name != "posix", reason="other systems forbid most of these names")
@settings(deadline=None, max_examples=40)
@given(st.sets(odd_names, min_size=1, max_size=4), st.sets(odd_names, min_size=1, max_size=3))
def test_any_names_survive_the_whole_way(tmp_path_factory: pytest.TempPathFactory, folders: set[str], files: set[str]):
    home = tmp_path_factory.mktemp("odd")
    names = sorted(f"c{folder}/{file}.png" for folder in folders for file in files)
    found = catalogue(made(home / "set", *names), root=home)
    for remark in found.remarks:
        remark.encode()  # can be printed
    write_manifest(found.manifest, home / "manifest.csv")
    manifest = read_manifest(home / "manifest.csv")
    assert sorted(manifest.paths.tolist()) == sorted(f"set/{name}" for name in names)
    classes = sorted(f"c{folder}" for folder in folders)
    for image, path, label in zip(manifest.ids, manifest.paths.tolist(), manifest.labels, strict=True):
        assert content_id((home / path).read_bytes()) == image
        assert path.split("/")[1] == classes[label]


def test_cifar10_1_as_it_was_released(tmp_path, real_data):
    labels = real_data / "cifar10.1" / "datasets" / "cifar10.1_v6_labels.npy"
    answers = np.load(labels)
    images = np.random.default_rng(0).integers(0, 256, (len(answers), 4, 4, 3), np.uint8)  # the images are not there
    np.save(tmp_path / "images.npy", images)
    found = catalogue(tmp_path / "images.npy", labels=labels, root=tmp_path)
    np.testing.assert_array_equal(found.manifest.labels, answers)
    assert found.remarks == []
