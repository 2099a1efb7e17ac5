"""Laws of response curves. A new curve is one line in CURVES, and inherits every test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr

from difficulty_model.curves import Probit, ResponseCurve

CURVES: list[ResponseCurve] = [Probit()]

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


every_curve = pytest.mark.parametrize("curve", CURVES, ids=lambda c: type(c).__name__)


@every_curve
def test_right_and_wrong_sum_to_one(curve: ResponseCurve):
    np.testing.assert_allclose(np.logaddexp(*log_probabilities(curve, FAR)), 0, atol=1e-15)


@every_curve
def test_easier_images_are_answered_better(curve: ResponseCurve):
    right, wrong = log_probabilities(curve, FAR)
    assert (np.diff(right) >= 0).all()
    assert (np.diff(wrong) <= 0).all()
    right, wrong = log_probabilities(curve, NEAR)
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
