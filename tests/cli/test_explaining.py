"""Commands that ask why, and who is robust."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import mistake, run
from difficulty_model.examples import load_example
from difficulty_model.explanations import missed_images


def test_robustness(folder: Path) -> None:
    done = run("robustness", "responses.nc", "--from", "original", "--to", "new-writers", "--json", cwd=folder)
    found = json.loads(done.stdout)
    points = [row["points"] for row in found["models"]]
    assert points == sorted(points, reverse=True)
    assert found["dominance"][0]["weaker_alone"] < found["dominance"][0]["independent"]
    printed = run("robustness", "responses.nc", "--from", "original", "--to", "new-writers", cwd=folder).stdout
    assert found["models"][0]["model"] in printed
    assert found["agreement"] is None
    assert "No agreement: these responses keep no predicted classes" in printed
    mistake(run("robustness", "responses.nc", "--from", "original", "--to", "old", cwd=folder), "'original'")


def test_every_explanation_of_a_gap(folder: Path) -> None:
    (folder / "names.txt").write_text(f"{load_example('digits').images[0]}\n")
    done = run("explain", "fit.nc", "--from", "original", "--to", "new-writers", "--json", "--plot", "why.png",
               "--file", "duplicates=names.txt", "--file", "counts=missing.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["explanations"]}
    assert rows["near-duplicates"]["verdict"] == "cannot"
    assert "no such file" in rows["selection frequency"]["text"]
    assert "--skill-loss" in rows["adaptive overfitting"]["text"]
    assert (folder / "why.png").read_bytes().startswith(b"\x89PNG")
    printed = run("explain", "fit.nc", "--from", "original", "--to", "new-writers", cwd=folder).stdout
    assert "not told apart" in printed
    assert "Wrong file" not in printed
    asked = ("explain", "fit.nc", "--from", "original", "--to")
    alone = (*asked, "new-writers", "--only", "class imbalance")
    of_classes = json.loads(run(*alone, "--json", "--plot", "classes.png", cwd=folder).stdout)
    assert of_classes == rows["class imbalance"]
    assert (folder / "classes.png").read_bytes().startswith(b"\x89PNG")
    printed = run(*alone, cwd=folder).stdout
    assert of_classes["text"] in printed
    assert printed.count("│") >= len(of_classes["table"])
    mistake(run(*asked, "new-writers", "--only", "class imbalances", cwd=folder), "'class imbalance'")
    undrawn = run(*asked, "new-writers", "--only", "humans", "--plot", "none.png", cwd=folder)
    mistake(undrawn, "nothing to draw of 'humans'")
    mistake(run(*asked, "new-writers", "--file", "counts.csv", cwd=folder), "NAME=PATH")
    mistake(run(*asked, "new-wrters", cwd=folder), "'new-writers'")
    mistake(run(*asked, "original", cwd=folder), "twice")
    mistake(run(*asked, "new-writers", "--only", "class imbalance", "--file", "duplicates=names.txt", cwd=folder),
            "class imbalance takes no file; got 'duplicates'")


@pytest.mark.parametrize(("picture", "said"), [("why.xyz", "no picture format '.xyz'"), ("no/why.png", "no folder no")])
def test_pictures_that_cannot_be_written_are_told_before_the_work(folder: Path, picture: str, said: str) -> None:
    of = ("--from", "original", "--to", "new-writers")
    mistake(run("explain", "no-fit.nc", *of, "--plot", picture, cwd=folder), said)


def test_names_are_printed_and_drawn_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["net[lr=0.1]", "/data[/x]", "[bold]net", r"$\bad$", ":smile: net"]
    table = pd.DataFrame({
        "image": [f"i{i}" for i in range(200)], "test_set": np.repeat(["a[/y]", "b_$x$"], 100),
        **{name: (rng.random(200) < 0.4 + 0.1 * j).astype(int) for j, name in enumerate(names)},
    })
    table.to_csv(tmp_path / "odd.csv", index=False)
    of = ("--from", "a[/y]", "--to", "b_$x$")
    for command, printed in {
        ("import", "wide", "odd.csv", "-o", "r.nc"): (), ("robustness", "r.nc", *of): ("a[/y]", "b_$x$", *names),
        ("fit", "r.nc", "-o", "f.nc", "--method", "mode"): ("a[/y]", "b_$x$", *names),
        ("explain", "f.nc", *of, "--plot", "why.png"): ("from a[/y] to b_$x$",),
        ("explain", "f.nc", *of, "--plot", "one.png", "--only", "statistical error"): tuple(names),
    }.items():
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert all(words in done.stdout for words in printed)


def test_a_page_of_the_images_that_all_models_miss(folder: Path, tmp_path: Path) -> None:
    first, second = missed_images(load_example("digits"))["image"]
    np.save(tmp_path / "images.npy", np.full((3, 8, 8), 200, np.uint8))
    (tmp_path / "manifest.csv").write_text(f'image,path,label\n"{first}",images.npy[2],4\n')
    asked = ("gallery", "responses.nc", "-o", "missed.png", "--images")
    done = run(*asked, f"new-writers={tmp_path}", "--images", f"original={tmp_path}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "missed.png: 2 of 2 images that no model gets right\n"
    assert f"1 of 2 images have no picture, such as '{second}': there is no file" in done.stderr
    assert (folder / "missed.png").read_bytes().startswith(b"\x89PNG")
    (folder / "missed.png").unlink()
    (tmp_path / "manifest.csv").unlink()
    mistake(run(*asked, f"new-writers={tmp_path}", cwd=folder), "none of 2 images", repr(first), "manifest.csv")
    mistake(run(*asked, f"original={tmp_path}", cwd=folder), "none that all models miss")
    mistake(run(*asked, f"new-writer={tmp_path}", cwd=folder), "'new-writers'")
    mistake(run(*asked, str(tmp_path), cwd=folder), "NAME=PATH", "--images")
    mistake(run(*asked, f"new-writers={tmp_path}", "--page", 2, cwd=folder), "page 2")
    assert not (folder / "missed.png").exists()
