"""Laws of response curves. A new curve is one line in CURVES, and inherits every test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr

from difficulty_model.curves import Lapsing, Logistic, Probit, ResponseCurve, Sloped

# Plain floats: outside the context of float64 an array would be rounded when it is made.
CURVES: list[ResponseCurve] = [  # pyright: ignore[reportAssignmentType]
    Probit(),
    Sloped(0.4),  # pyright: ignore[reportArgumentType]
    Sloped(2.5),  # pyright: ignore[reportArgumentType]
    Logistic(),
    Sloped(1.4, Logistic()),  # pyright: ignore[reportArgumentType]
    Lapsing(Probit(), 0.1, 0.02),  # pyright: ignore[reportArgumentType]
    Lapsing(Sloped(1.7), 0.0, 0.05),  # pyright: ignore[reportArgumentType]
    Lapsing(Probit(), 0.001, 0.0),  # pyright: ignore[reportArgumentType]
]

SKILL = 0.7
FAR = np.linspace(-40, 40, 1601)  # skill minus difficulty
NEAR = FAR[np.abs(FAR) <= 6]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def log_probabilities(curve: ResponseCurve, difference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, wrong = curve.log_probabilities(jnp.asarray(SKILL), jnp.asarray(SKILL - difference))
    return np.asarray(right), np.asarray(wrong)


every_curve = pytest.mark.parametrize("curve", CURVES, ids=str)


@every_curve
def test_right_and_wrong_sum_to_one(curve: ResponseCurve):
    np.testing.assert_allclose(np.logaddexp(*log_probabilities(curve, FAR)), 0, atol=1e-15)


@every_curve
def test_easier_images_are_answered_better(curve: ResponseCurve):
    right, wrong = log_probabilities(curve, FAR)
    assert (np.diff(right) >= 0).all()
    assert (np.diff(wrong) <= 0).all()
    right, wrong = log_probabilities(curve, NEAR * float(curve.width()))
    assert (np.diff(right) > 0).all()
    assert (np.diff(wrong) < 0).all()


@every_curve
def test_derivatives_are_those_of_the_values(curve: ResponseCurve):
    step = 1e-5

    def numbers(t: jax.Array) -> jax.Array:
        return jnp.stack(curve.log_probabilities(jnp.asarray(SKILL), t))

    t = jnp.asarray(SKILL - FAR + 0.013)  # JAX changes between series at ±20, where values jump by 4e-9
    _, slope = jax.jvp(numbers, (t,), (jnp.ones_like(t),))
    central = (numbers(t + step) - numbers(t - step)) / (2 * step)
    # Truncation is step²·f‴/6 < 1e-10; rounding of values up to 800 leaves 800·1e-16/step = 1e-8.
    np.testing.assert_allclose(slope, central, rtol=1e-8, atol=3e-8)


def test_probit_is_exact_in_both_tails():
    right, wrong = log_probabilities(Probit(), FAR)
    # Below −20 JAX takes three terms of the asymptotic series: the fourth is at most 105/20⁸ = 4.1e-9 nats.
    # Between −1 and 8 it takes the logarithm of a number near 1, which is rounded at 1.1e-16.
    left_out = np.where(np.abs(FAR) > 19.99, 105 / np.maximum(np.abs(FAR), 1) ** 8, 0)
    for ours, exact in [(right, log_ndtr(FAR)), (wrong, log_ndtr(-FAR))]:
        allowed = 5e-16 + 1e-12 * np.abs(exact) + np.where(exact < -1, left_out, 0)
        assert (np.abs(ours - exact) <= allowed).all()
    # By hand: log Φ(−40) = −40²/2 − log(40√(2π)) + log(1 − 40⁻² + 3·40⁻⁴ − 15·40⁻⁶).
    by_hand = -800 - np.log(40 * np.sqrt(2 * np.pi)) + np.log(1 - 40**-2.0 + 3 * 40**-4.0 - 15 * 40**-6.0)
    assert right[0] == pytest.approx(by_hand, rel=1e-14)
    assert wrong[-1] == pytest.approx(by_hand, rel=1e-14)


@every_curve
def test_within_six_widths_of_the_skill_answers_become_as_certain_as_they_get(curve: ResponseCurve):
    reach = 6 * float(curve.width())
    for ends in np.exp(log_probabilities(curve, np.array([-1e3, -reach, reach, 1e3]))):
        assert abs(ends[0] - ends[1]) < 1e-8
        assert abs(ends[3] - ends[2]) < 1e-8
    middle = np.exp(log_probabilities(curve, np.array([-reach / 6, reach / 6])))
    assert (np.abs(np.diff(middle)) > 0.5).all()


def test_slopes_stretch_the_probit():
    difference = np.linspace(-8, 8, 101)
    ours = log_probabilities(Sloped(1.6), difference)  # pyright: ignore[reportArgumentType]
    for got, sign in zip(ours, (1, -1), strict=True):
        np.testing.assert_allclose(got, log_ndtr(sign * 1.6 * difference), rtol=1e-13, atol=1e-15)


def test_rates_bound_the_probabilities_on_both_sides():
    right, wrong = np.exp(log_probabilities(Lapsing(Probit(), 0.1, 0.03), np.array([-60.0, 0.0, 60.0])))  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(right, [0.1, 0.1 + 0.87 / 2, 0.97], rtol=1e-14)
    np.testing.assert_allclose(wrong, [0.9, 0.03 + 0.87 / 2, 0.03], rtol=1e-14)


def test_rates_of_zero_are_the_curve_itself_and_have_finite_derivatives():
    for got, plain in zip(
        log_probabilities(Lapsing(Probit(), 0.0, 0.0), FAR), log_probabilities(Probit(), FAR), strict=True  # pyright: ignore[reportArgumentType]
    ):
        np.testing.assert_allclose(got, plain, rtol=1e-14, atol=1e-300)

    def total(guess: jax.Array) -> jax.Array:
        curve = Lapsing(Probit(), guess, jnp.asarray(0.0))
        far = jnp.asarray(SKILL - FAR)
        return jnp.stack(curve.log_probabilities(jnp.asarray(SKILL), far)).sum()

    assert np.isfinite(jax.grad(total)(jnp.asarray(0.0)))


def test_the_logistic_curve_is_near_the_probit_and_heavier_in_the_tails():
    near, far = (log_probabilities(curve, NEAR) for curve in (Logistic(), Probit()))
    assert np.abs(np.exp(near[0]) - np.exp(far[0])).max() == pytest.approx(0.0095, abs=1e-4)
    np.testing.assert_allclose(np.exp(near[0]), 1 / (1 + np.exp(-1.702 * NEAR)), rtol=1e-14)
    beyond = np.abs(NEAR) > 3
    assert (np.minimum(*near)[beyond] > np.minimum(*far)[beyond]).all()


@every_curve
@pytest.mark.parametrize("spread", [0.0, 0.4, 2.0])
def test_the_averaged_curve_is_the_average(curve: ResponseCurve, spread: float):
    z = np.linspace(-9, 9, 3601)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    on = np.exp(np.array([log_probabilities(curve, at + spread * z) for at in NEAR]))
    found = np.exp(log_probabilities(curve.averaged(jnp.asarray(spread)), NEAR))
    np.testing.assert_allclose(found, (on @ weight).T, atol=1e-9)
