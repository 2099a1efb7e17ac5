"""Training on the new test set: what can be learned from new images, and not from original ones, is a shift."""

from difficulty_model.errors import InputError
from difficulty_model.explanations.evidence import Evidence
from difficulty_model.explanations.examination import Outcome
from difficulty_model.readers import read_experiment

NAME = "training on the new test set"
QUESTION = "Do models regain what they lost by learning from some of the new images?"
SOURCE = "Recht et al. (2018), on CIFAR-10.1: 85.1% and 85.4% where the untouched has 84.9%; the control is ours"
FILE = "new-data"

ARMS = {"untouched": "as they are", "original": "with more original images", "new": "with as many new ones"}
"""What models learn from beside their own images, in words."""


def examine(evidence: Evidence) -> Outcome:
    """Return how much more models gain on the new test set by new images than by equally many original ones.

    It takes the file ``new-data``, of the experiment of that name. Equally many original images tell new data from
    more data. What half of a test set cannot teach may still be a shift, so the effect is rather too small. The table
    has the estimates as the experiment gives them, shares of images, with no name of a model for the mean of all.
    """
    path = evidence.file(FILE, "models trained on a part of the new test set (difficulty-inference experiment "
                                     "new-data)")
    found = read_experiment(path, "new-data").between(evidence.original, evidence.new)
    models = [model for model in evidence.responses.models if model in found.of_models("new-original").index]
    if not models:
        raise InputError(f"{path} has none of the models whose gap is examined, such as "
                         f"{evidence.responses.models[0]!r}; expected some: run the experiment on their zoo")
    gain, error = (100 * of for of in found.mean_of("new-original", models))
    arms = ", ".join(f"{100 * found.mean_of(arm, models)[0]:.1f}% {words}" for arm, words in ARMS.items())
    text = (f"On the rest of {evidence.new!r} {len(models)} models are right in {arms}: new ones help by {gain:.2f} ± "
            f"{error:.2f} points more.")
    return Outcome(evidence.estimated(gain, error, models=models), text, found.estimates)
