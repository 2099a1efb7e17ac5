"""Images that no model gets right: which, in what order, on which page; and the picture of a page."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from difficulty_model.errors import InputError
from difficulty_model.explanations import gather, invalid_images, missed_images, page_of
from difficulty_model.plots import plot_gallery
from difficulty_model.responses import Responses


def responses(shown: np.ndarray, right: np.ndarray, *, labels: list[str] | None = None) -> Responses:
    images = [f"i{i}" for i in range(right.shape[1])]
    in_new = np.arange(len(images)) >= 2
    member = {"old": ~in_new | (np.arange(len(images)) == 3), "new": in_new}
    return Responses.from_arrays(right, shown=shown, models=[f"m{j}" for j in range(len(right))], images=images,
                                 member=member, labels=labels)


def table(models: list[int]) -> pd.DataFrame:
    names = [f"i{i}" for i in range(len(models))]
    return pd.DataFrame({"image": names, "label": "cat", "models": models, "test_sets": [["new"] for _ in models]})


def texts(figure: Figure) -> list[str]:
    return [axes.get_xlabel() for axes in figure.axes if axes.axison]


def test_images_that_most_models_were_shown_stand_first():
    # i0: two models, both wrong; i1: one right; i2: shown to none; i3: three wrong; i4: two wrong, thrice each.
    shown = np.array([[1, 1, 0, 1, 3], [1, 1, 0, 1, 3], [0, 1, 0, 1, 0]])
    right = np.array([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    missed = missed_images(responses(shown, right, labels=list("abcde")))
    assert missed.to_dict("list") == {
        "image": ["i3", "i0", "i4"], "label": ["d", "a", "e"], "models": [3, 2, 2],
        "test_sets": [["old", "new"], ["old"], ["new"]],
    }
    assert missed_images(responses(shown, right))["label"].tolist() == [None] * 3
    assert missed_images(responses(shown, right).select(test_sets=["old"]))["image"].tolist() == ["i3", "i0"]
    right[0] = shown[0]
    assert missed_images(responses(shown, right)).empty


def test_pages_have_every_image_once_those_that_most_were_shown_first():
    missed = table([9] * 30 + [5] * 70)
    pages = [page_of(missed, number, most=40, random_seed=0) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [40, 40, 20]
    assert sorted(pd.concat(pages)["image"]) == sorted(missed["image"])
    assert pages[0]["models"].tolist() == [9] * 30 + [5] * 10
    # The ten others are drawn by lot; that they are the first ten has probability 1 in 70 over 10, 2.5e-12.
    assert pages[0]["image"].tolist()[30:] != missed["image"].tolist()[30:40]
    assert all((np.diff(page.index) > 0).all() for page in pages)
    again = page_of(missed, 1, most=40, random_seed=0)
    pd.testing.assert_frame_equal(again, pages[0])


def test_pages_that_do_not_exist_are_told():
    for number in (0, 3):
        with pytest.raises(InputError, match=f"page {number} .* make 2"):
            page_of(table([1] * 41), number, most=40, random_seed=0)
    with pytest.raises(InputError, match="none that all models miss"):
        page_of(table([]), 1, most=40, random_seed=0)


def test_the_explanation_names_the_command_where_there_are_images_to_look_at():
    right = (np.arange(12)[:, None] < np.repeat([12, 0], [30, 10])).astype(int)
    member = {"old": np.arange(40) < 20, "new": np.arange(40) >= 20}

    def text(right: np.ndarray) -> str:
        given = Responses.from_arrays(right, models=[f"m{j}" for j in range(12)], images=[f"i{i}" for i in range(40)],
                                      member=member)
        return invalid_images.examine(gather(given, "old", "new")).text

    assert text(right).endswith("Look at them: difficulty-model gallery.")
    right[0, 30:] = 1
    assert "gallery" not in text(right)


def test_a_page_shows_pictures_as_they_are_and_frames_with_ids():
    page = table([12, 7, 7])
    page.loc[0, "label"] = None
    picture = np.arange(64, dtype=np.uint8).reshape(4, 16)
    figure = Figure()
    plot_gallery(page, {"i0": picture, "i2": np.zeros((200, 100, 3), np.uint8)}, figure, in_all=50)
    figure.savefig(io.BytesIO())
    assert texts(figure) == ["0 of 12 right", "label cat\n0 of 7 right", "label cat\n0 of 7 right"]
    (small,), none, (large,) = (axes.get_images() for axes in figure.axes)
    np.testing.assert_array_equal(small.get_array(), picture)
    assert (small.get_cmap().name, small.get_interpolation(), small.get_clim()) == ("gray", "nearest", (0, 255))
    assert large.get_interpolation() != "nearest"
    assert none == []
    assert [text.get_text() for text in figure.axes[1].texts] == ["no picture of\ni1"]
    assert figure.get_suptitle() == "3 of 50 images of new that no model gets right"


def test_texts_neither_overlap_nor_leave_the_page():
    page = table([64] * 11)
    page["label"] = ["far too long a label for the width of a picture", "\\frac{$1}$", "x\ny"] * 3 + ["", "1"]
    page["test_sets"] = [["a-test-set-with-quite-a-long-name"], ["another-test-set-of-this-kind"]] * 5 + [["a", "b"]]
    page.loc[0, "image"] = "0/" + "f" * 300
    figure = Figure()
    plot_gallery(page, {name: np.zeros((8, 8), np.uint8) for name in page["image"][1:]}, figure, in_all=11)
    figure.savefig(io.BytesIO())
    panels = [axes for axes in figure.axes if axes.axison]
    outside = [axes.xaxis.label.get_window_extent() for axes in panels] + [figure.texts[0].get_window_extent()]
    boxes = [axes.get_window_extent() for axes in panels] + outside
    assert len(boxes) == 23
    for n, box in enumerate(boxes):
        assert all(figure.bbox.contains(*corner) for corner in box.get_points())
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
    assert all(boxes[0].contains(*corner) for corner in panels[0].texts[0].get_window_extent().get_points())
