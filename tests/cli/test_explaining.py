"""Commands that ask why, and who is robust."""

import json
from pathlib import Path

import numpy as np

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
