"""The line between accuracies, and lines through points."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import norm

from difficulty_model.law import (
    Line,
    errors_in_both,
    least_squares,
    line_of_normals,
    probit,
    probit_variance,
    r_squared,
)

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracies_in_normal_populations_lie_on_the_line(seed: int):
    rng = np.random.default_rng(seed)
    mean_1, mean_2 = rng.normal(0, 1, 2)
    sd_1, sd_2 = rng.uniform(0.3, 4, 2)

    def accuracy(skill: float, mean: float, sd: float) -> float:
        return quad(lambda t: ndtr(skill - t) * norm.pdf(t, mean, sd), mean - 9 * sd, mean + 9 * sd,
                    epsabs=1e-13, points=[mean, skill], limit=200)[0]

    line = line_of_normals(mean_1, sd_1, mean_2, sd_2)  # pyright: ignore[reportArgumentType]
    for skill in (-2.0, 0.0, 1.5):
        x, y = (probit(np.array([accuracy(skill, m, s)])) for m, s in [(mean_1, sd_1), (mean_2, sd_2)])
        np.testing.assert_allclose(line.at(x), y, atol=1e-9)


def test_lines_of_many_draws_are_taken_at_once():
    sd = np.array([1.0, 2.0, 3.0])
    lines = line_of_normals(np.zeros(3), sd, np.ones(3), sd)
    np.testing.assert_allclose(lines.u, 1)
    np.testing.assert_allclose(lines.v, -1 / np.sqrt(1 + sd**2))
    assert lines.at(np.zeros(4)).shape == (3, 4)
    np.testing.assert_allclose(lines.at(np.zeros(4)), np.repeat(lines.v[:, None], 4, 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_least_squares_is_that_of_numpy(seed: int):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 4, 30))
    lines = least_squares(x, y)
    for row in range(4):
        np.testing.assert_allclose((lines.u[row], lines.v[row]), np.polyfit(x[row], y[row], 1), rtol=1e-10)
        line = Line(lines.u[row], lines.v[row])
        assert r_squared(line, x[row], y[row]) == pytest.approx(np.corrcoef(x[row], y[row])[0, 1] ** 2, rel=1e-10)


@pytest.mark.parametrize("slope", [0.2, 0.9, 1.5, -0.8])
@pytest.mark.parametrize("seed", SEEDS)
def test_errors_in_both_is_the_best_of_all_lines_and_true_points(seed: int, slope: float):
    rng = np.random.default_rng(seed)
    true = rng.normal(1, 0.6, 25)
    x_variance, y_variance = rng.uniform(0.001, 0.03, (2, 25))
    x = rng.normal(true, np.sqrt(x_variance))
    y = rng.normal(slope * true - 0.3, np.sqrt(y_variance))

    def loss(parameters: np.ndarray) -> float:  # orthogonal distance regression: the true points are unknown too
        u, v, *points = parameters
        return float((np.square(x - points) / x_variance + np.square(y - u * np.array(points) - v) / y_variance).sum())

    brute = minimize(loss, [*np.polyfit(x, y, 1), *x], method="BFGS", options={"gtol": 1e-6, "maxiter": 5000})
    line = errors_in_both(x, y, x_variance, y_variance)
    np.testing.assert_allclose((line.u, line.v), brute.x[:2], atol=1e-5)


def test_errors_in_both_is_least_squares_where_x_is_exact_and_symmetric_otherwise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = 0.7 * x + 0.2 + rng.normal(0, 0.2, 40)
    zero, some = np.zeros(40), np.full(40, 0.04)
    exact, plain = errors_in_both(x, y, zero, some), least_squares(x, y)
    np.testing.assert_allclose((exact.u, exact.v), (plain.u, plain.v), atol=1e-7)
    forth, back = errors_in_both(x, y, some, 2 * some), errors_in_both(y, x, 2 * some, some)
    np.testing.assert_allclose((back.u, back.v), (1 / forth.u, -forth.v / forth.u), atol=1e-6)


@pytest.mark.parametrize("accuracy", [0.3, 0.75, 0.95])
def test_variance_of_a_probit_accuracy_is_that_of_repeated_tests(accuracy: float):
    images = 10_000
    counts = np.random.default_rng(1).binomial(images, accuracy, 20_000)
    measured = probit(counts / images).var()
    # The standard error of a variance from 20,000 draws is 1%; terms beyond first order are of order 1/images.
    assert measured == pytest.approx(float(probit_variance(np.array(accuracy), np.array(images))), rel=0.05)
