"""The explanations that come with the package, in the order of their rows."""

from difficulty_model.errors import unknown_name
from difficulty_model.explanations import (
    adaptive_overfitting,
    class_imbalance,
    cross_validation,
    discriminator,
    frequency_noise,
    harder_images,
    humans,
    hyperparameter_tuning,
    invalid_images,
    label_errors,
    learning_the_new,
    model_slopes,
    near_duplicates,
    sampling_strategy,
    selection_frequency,
    statistical_error,
    two_subpopulations,
)
from difficulty_model.explanations.examination import Explanation

EXPLANATIONS: tuple[Explanation, ...] = (
    statistical_error,
    adaptive_overfitting,
    near_duplicates,
    hyperparameter_tuning,
    cross_validation,
    class_imbalance,
    invalid_images,
    label_errors,
    harder_images,
    two_subpopulations,
    model_slopes,
    sampling_strategy,
    selection_frequency,
    frequency_noise,
    discriminator,
    learning_the_new,
    humans,
)


def explanation_named(name: str) -> Explanation:
    """Return the explanation of that name.

    Raises
    ------
    InputError
        If the package has none.
    """
    named = {one.NAME: one for one in EXPLANATIONS}
    if name not in named:
        raise unknown_name("explanation", name, named)
    return named[name]
