"""Fits side by side: the true one wins, the table holds what it says, and fits of other responses are refused."""

import json

import numpy as np
import pytest

from difficulty_model.comparison import compare, loo
from difficulty_model.errors import InputError
from difficulty_model.family import independent, normal, probit, recht_et_al, slopes, with_unlearnable
from difficulty_model.fitting import Fit, fit
from difficulty_model.posterior import population_accuracies
from difficulty_model.predicted_law import law_between
from difficulty_model.responses import Responses
from difficulty_model.specification import Specification
from worlds import simulate

SKILL = np.linspace(-0.6, 1.8, 8)
SLOPED = Specification(independent(), slopes(), normal())
ATOM = Specification(independent(), probit(), with_unlearnable(normal()))
IMAGES = {"a": 500, "b": 400}


def fitted_to(responses: Responses, specification: Specification) -> Fit:
    return fit(responses, specification, random_seed=0, method="laplace", draws=100, chains=2, progress=False)


@pytest.fixture(scope="module")
def responses() -> Responses:
    return simulate(1, skill=SKILL, images=IMAGES).responses


@pytest.fixture(scope="module")
def fits(responses: Responses) -> dict[str, Fit]:
    return {"plain": fitted_to(responses, recht_et_al()), "sloped": fitted_to(responses, SLOPED)}


def test_slopes_win_where_they_are_true():
    world = simulate(2, skill=SKILL, slope=np.geomspace(0.4, 2.5, 8)[[4, 0, 6, 2, 7, 1, 5, 3]], images=IMAGES)
    fits = {"plain": fitted_to(world.responses, recht_et_al()), "sloped": fitted_to(world.responses, SLOPED)}
    table = compare(fits, progress=False).table
    assert table["fit"].tolist() == ["sloped", "plain"]
    assert table["rank"].tolist() == [0, 1]
    assert table["difference"].iloc[1] < -4 * table["dse"].iloc[1]
    assert table["weight"].iloc[0] > 0.9


def test_an_atom_wins_where_some_images_cannot_be_learned():
    world = simulate(3, skill=SKILL + 1.5, images=IMAGES, sd=(1.0, 1.2)).responses
    learnable = np.random.default_rng(0).random(900) > 0.2
    responses = Responses.from_arrays(
        world.right * learnable, models=world.models, images=world.images,
        member=dict(zip("ab", world.member, strict=True)),
    )
    fits = {"plain": fitted_to(responses, recht_et_al()), "atom": fitted_to(responses, ATOM)}
    table = compare(fits, progress=False).table
    assert table["fit"].tolist() == ["atom", "plain"]
    assert table["difference"].iloc[1] < -3 * table["dse"].iloc[1]


def test_what_is_not_needed_gains_little(fits: dict[str, Fit]):
    table = compare(fits, progress=False).table.set_index("fit")
    # Seven slopes that are not needed gain half of a χ² of seven on these images, and are expected to lose as much.
    assert abs(table.loc["sloped", "elpd"] - table.loc["plain", "elpd"]) < 10
    assert 2 < table.loc["sloped", "p"] - table.loc["plain", "p"] < 14


def test_the_table_holds_what_it_says(fits: dict[str, Fit], responses: Responses):
    compared = compare(fits, progress=False)
    table = compared.table.set_index("fit")
    best = table.index[0]
    assert (compared.original, compared.new) == ("a", "b")
    of = {name: loo(fit, progress=False) for name, fit in fits.items()}
    for name, fitted in fits.items():
        assert table.loc[name, "elpd"] == pytest.approx(of[name].elpd)
        assert table.loc[name, "se"] == pytest.approx(of[name].se)
        assert table.loc[name, "p"] == pytest.approx(of[name].p)
        doubtful = float((of[name].images["pareto_k"].values > 0.7).mean())
        assert table.loc[name, "doubtful"] == pytest.approx(doubtful)
        difference = of[name].images["elpd"] - of[best].images["elpd"]
        assert table.loc[name, "difference"] == pytest.approx(float(difference.sum()))
        assert table.loc[name, "dse"] == pytest.approx(float(np.sqrt(900 * difference.var())))
        line = law_between(fitted, "a", "b").predicted
        expected = [line.u.mean(), line.u.std(), line.v.mean(), line.v.std()]
        assert table.loc[name, ["u", "u_sd", "v", "v_sd"]].tolist() == pytest.approx(expected)
        assert table.loc[name, "verdict"] == fitted.verdict
        assert table.loc[name, "method"] == "laplace"
        for test_set in "ab":
            predicted = population_accuracies(fitted).mean(("chain", "draw")).sel(test_set=test_set).values
            observed = responses.select(test_sets=[test_set]).accuracies()["accuracy"].to_numpy()
            row = compared.errors.set_index(["fit", "test_set"]).loc[(name, test_set)]
            assert row["mean_error"] == pytest.approx(100 * np.abs(predicted - observed).mean())
            assert row["largest_error"] == pytest.approx(100 * np.abs(predicted - observed).max())
    assert table["weight"].to_numpy().sum() == pytest.approx(1)
    plain = json.loads(json.dumps(compared.as_dict()))
    assert [row["fit"] for row in plain["fits"]] == compared.table["fit"].tolist()
    assert [row["test_set"] for row in plain["fits"][0]["errors"]] == ["a", "b"]
    assert (plain["from"], plain["to"]) == ("a", "b")


def test_a_fit_in_trouble_is_known_by_it(fits: dict[str, Fit]):
    doubted = Fit(fits["plain"].tree.copy(), fits["plain"].specification)
    doubted.tree.attrs |= {"trouble": json.dumps(["It does not hold."]), "verdict": "It does not hold."}
    table = compare({"doubted": doubted, "sloped": fits["sloped"]}, progress=False).table.set_index("fit")
    assert table["troubled"].to_dict() == {"doubted": True, "sloped": bool(fits["sloped"].trouble)}
    assert table.loc["doubted", "verdict"] == "It does not hold."


def test_the_line_is_between_the_test_sets_asked_for(fits: dict[str, Fit]):
    there, back = compare(fits, progress=False), compare(fits, original="b", progress=False)
    assert (back.original, back.new) == ("b", "a")
    # Skills span a line exactly under the plain model, so that its inverse is the line back.
    there, back = (of.table.set_index("fit").loc["plain", "u"] for of in (there, back))
    assert there * back == pytest.approx(1, abs=0.02)


def test_one_test_set_has_no_line():
    responses = simulate(5, skill=SKILL, images={"a": 200}).responses
    fitted = fitted_to(responses, recht_et_al())
    compared = compare({"one": fitted, "the same": fitted}, progress=False)
    assert compared.table["difference"].tolist() == [0, 0]
    assert np.isnan(compared.table[["u", "v"]].to_numpy()).all()
    assert json.loads(json.dumps(compared.as_dict()))["fits"][0]["u"] is None
    assert (compared.original, compared.new) == (None, None)


def test_fits_that_do_not_go_together_are_refused(fits: dict[str, Fit], responses: Responses):
    def refused(other: Responses, said: str) -> None:
        with pytest.raises(InputError, match=said):
            compare({"one": fits["plain"], "other": as_if_of(fits["plain"], other)}, progress=False)

    def as_if_of(fitted: Fit, other: Responses) -> Fit:
        tree = fitted.tree.copy()
        tree["observed_data"] = other.dataset
        return Fit(tree, fitted.specification)

    dataset = responses.dataset
    refused(Responses(dataset.isel(model=slice(7))), r"'one' and 'other' .* models \(8 and 7, 'm7' being in one only\)")
    refused(Responses(dataset.isel(image=slice(899))), r"different images \(900 and 899, 'i899' being in one only\)")
    refused(Responses(dataset.isel(image=slice(None, None, -1))), "the same in another order")
    refused(responses.select(test_sets=["a"]), "different test sets")
    changed = dataset.copy(deep=True)
    changed["right"].values[0, :3] = 1 - changed["right"].values[0, :3]
    refused(Responses(changed), "3 of 7200 responses differ")
    moved = dataset.copy(deep=True)
    moved["member"].values[1, 0] = True
    refused(Responses(moved), "belong to different test sets")
    with pytest.raises(InputError, match="at least two fits; got 'plain'"):
        compare({"plain": fits["plain"]})
    with pytest.raises(InputError, match="no test set in these fits named 'bb'; nearest.*'b'"):
        compare(fits, new="bb")
