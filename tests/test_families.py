"""Models in families: from tables to responses, and what it changes that near-copies are known to be such."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from difficulty_model.comparison import compare, predict_held_out, predict_left_out
from difficulty_model.errors import InputError
from difficulty_model.family import in_families, independent, normal, probit, recht_et_al
from difficulty_model.fitting import Fit, fit
from difficulty_model.fitting.images import families
from difficulty_model.law import line_of_normals
from difficulty_model.readers import read_families
from difficulty_model.relation import relation_between
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from worlds import simulate

SPECIFICATION = Specification(in_families(), probit(), normal())
SPREAD, MEAN, SD = 1.2, np.array([0.0, 0.6, 0.3]), np.array([1.4, 1.8, 1.5])


def near_copies(seed: int, *, images: int = 600) -> tuple[Responses, np.ndarray]:
    """Six models, of which the first is there in five more copies that do alike on an image; and difficulties."""
    rng = np.random.default_rng(seed)
    test_set = np.repeat([0, 1, 2], images)
    difficulty = rng.normal(MEAN[test_set], SD[test_set])
    skill, family = np.append(np.linspace(-0.5, 2.0, 6), np.full(5, 0.8)), np.append(np.arange(6), np.zeros(5, int))
    effect = SPREAD * rng.normal(size=(6, 3 * images))[family]
    right = rng.random((11, 3 * images)) < ndtr(skill[:, None] + effect - difficulty)
    plain = Responses.from_arrays(
        right, models=[f"m{j}" for j in range(11)], images=[f"i{i}" for i in range(3 * images)],
        member={"a": test_set == 0, "b": test_set == 1, "c": test_set == 2},
    )
    return plain.with_families({f"m{j}": "copies" for j in (0, *range(6, 11))}), difficulty


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_families_come_from_a_table(tmp_path: Path, suffix: str):
    import pandas as pd

    table = pd.DataFrame({"family": ["x", "y", "x"], "model": ["m0", "m2", "m1"], "year": [2012, 2014, 2015]})
    path = tmp_path / f"known.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    assert read_families(path) == {"m0": "x", "m2": "y", "m1": "x"}


@pytest.mark.parametrize(("text", "said"), [
    ("model,kind\nm0,x\n", "no column 'family'"), ("model,family\nm0,x\nm0,y\n", "'m0' more than once"),
    ("model,family\nm0,\n", "is empty in row 1"), ("model,family\n", "no rows"),
])
def test_other_tables_are_refused(tmp_path: Path, text: str, said: str):
    (tmp_path / "known.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_families(tmp_path / "known.csv")


def test_models_that_are_not_named_are_by_themselves():
    responses = simulate(0, skill=np.zeros(4), images={"a": 5}).responses
    known = responses.with_families({"m3": "m0", "m1": "x", "m2": "x"})
    assert known.dataset["family"].values.tolist() == ["", "x", "x", "m0"]
    numbers = families(known, SPECIFICATION)
    assert numbers is not None
    assert [a == b for a, b in combinations(numbers, 2)] == [False, False, False, True, False, False]
    with pytest.raises(InputError, match="m9"):
        responses.with_families({"m9": "x"})
    # They stay with their models.
    assert responses.with_families({"m2": "x", "m3": "x"}).select(exclude=["m0"]).dataset["family"].values[1] == "x"


def test_families_that_tell_nothing_are_refused_or_named(caplog: pytest.LogCaptureFixture):
    responses = simulate(0, skill=np.zeros(4), images={"a": 30, "b": 30}).responses
    with pytest.raises(InputError, match="family of every model"):
        fit(responses, SPECIFICATION, random_seed=0, method="mode", progress=False)
    with pytest.raises(InputError, match="every family is of one model only"):
        fit(responses.with_families({"m0": "x"}), SPECIFICATION, random_seed=0, method="mode", progress=False)
    with pytest.raises(InputError, match="no effects of families"):
        fit(responses.with_families({"m0": "x", "m2": "x"}), SPECIFICATION, random_seed=0, method="joint",
            progress=False)
    assert "2 of 4 models are by themselves in their family, such as 'm1'" in caplog.text


@pytest.fixture(scope="module")
def fitted() -> Fit:
    responses = near_copies(0)[0].select(test_sets=["a", "b"])
    return fit(responses, SPECIFICATION, random_seed=0, method="laplace", progress=False)


def test_copies_do_not_count_as_so_much_evidence(fitted: Fit):
    every, difficulty = near_copies(0)
    responses = every.select(test_sets=["a", "b"])
    difficulty = difficulty[: len(responses.images)]
    alone = fit(responses, recht_et_al(), random_seed=0, method="laplace", progress=False)
    fits = {"alone": alone, "families": fitted}
    table = compare(fits, progress=False).table.set_index("fit")
    assert table.loc["alone", "difference"] < -4 * table.loc["alone", "dse"]
    assert fits["families"].posterior["skill.spread"].values.mean() == pytest.approx(SPREAD, abs=0.4)
    # Difficulties are known as well as they say, and six copies tell less of them than they seem to, one by one.
    low, high = fits["families"].difficulty["quantiles"].sel(quantile=[0.05, 0.95]).values.T
    assert ((low < difficulty) & (difficulty < high)).mean() == pytest.approx(0.9, abs=0.05)
    sd = {
        name: (of.difficulty["sd"] / of.posterior["population.sd"].mean().item()).mean().item()
        for name, of in fits.items()
    }
    assert sd["families"] > 1.2 * sd["alone"]
    # A set that none has seen is told by what its members have in common there, too.
    new = every.select(test_sets=["c"])
    told = {name: predict_held_out(of, new, draws=4, progress=False).log_density for name, of in fits.items()}
    # It has half as many images.
    expected, error = -table.loc["alone", "difference"] / 2, table.loc["alone", "dse"] / np.sqrt(2)
    assert told["families"] - told["alone"] == pytest.approx(expected, abs=5 * np.sqrt(1.5) * error)


def test_the_line_of_families_has_a_closed_form(fitted: Fit):
    found = relation_between(fitted, (0, 1))
    draws = fitted.posterior.stack(all=("chain", "draw")).isel(all=slice(None, None, 5))
    mean, sd = (draws[f"population.{name}"].values for name in ("mean", "sd"))
    # Φ((s − τ)/√(1 + ω²)): populations are narrower beside wider noise.
    wider = np.sqrt(1 + draws["skill.spread"].values ** 2)
    line = line_of_normals(mean[0] / wider, sd[0] / wider, mean[1] / wider, sd[1] / wider)
    np.testing.assert_allclose(found.y, line.at(found.x), atol=1e-6)


def test_leaving_out_one_of_a_family_is_refused(fitted: Fit):
    with pytest.raises(InputError, match="fits without families"):
        predict_left_out(fitted)


def test_without_effects_it_is_the_plain_model():
    responses, _ = near_copies(5, images=150)
    plain = fit(responses, recht_et_al(), random_seed=0, method="mode", progress=False)
    none = fit(responses, Specification(in_families_of(0.0), probit(), normal()), random_seed=0, method="mode",
               progress=False)
    for ours, theirs in [("skill.skill", "skill"), ("population.sd", "population.sd")]:
        np.testing.assert_allclose(none.posterior[ours], plain.posterior[theirs], atol=1e-3)
    np.testing.assert_allclose(none.difficulty["mean"], plain.difficulty["mean"], atol=1e-3)


def in_families_of(spread: float):  # noqa: ANN201
    from difficulty_model.skills import InFamilies

    return InFamilies(independent(), spread)  # pyright: ignore[reportArgumentType]
