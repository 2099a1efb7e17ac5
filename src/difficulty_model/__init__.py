"""Why do classifiers lose accuracy on a new test set? Image difficulties, model skills, and the law they imply.

The names below load when first used, so that importing the package is fast:

>>> from difficulty_model import fit, law_between, load_example
>>> load_example("digits").test_sets
['original', 'new-writers']
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from difficulty_model.calibration import calibrate
    from difficulty_model.checking import check_responses, fix_responses
    from difficulty_model.collecting import (
        AnnotatedImages,
        CollectionPlan,
        Collections,
        Frequencies,
        GivenPool,
        MatchedFrequency,
        Threshold,
        TopImages,
        Uniform,
        choose_candidates,
        collect,
        collect_responses,
    )
    from difficulty_model.comparison import compare, loo, predict_held_out, predict_left_out
    from difficulty_model.errors import InputError
    from difficulty_model.examples import load_example
    from difficulty_model.explanations import Evidence, Explained, Outcome, explain
    from difficulty_model.family import recht_et_al
    from difficulty_model.fitting import Fit, fit, load_fit
    from difficulty_model.misfit import check_fit
    from difficulty_model.observed import observed_line
    from difficulty_model.plots import (
        plot_calibration,
        plot_collections,
        plot_examination,
        plot_explained,
        plot_gallery,
        plot_law,
        plot_misfit,
        plot_new_models,
        plot_prediction,
        plot_simulation,
    )
    from difficulty_model.posterior import (
        draw_difficulties,
        population_accuracies,
        population_table,
        skill_table,
    )
    from difficulty_model.predicted_law import Law, law_between, replicated_accuracies
    from difficulty_model.prediction import (
        ModelPrediction,
        Prediction,
        choose_images,
        choose_models,
        images_within,
        predict_models,
        predict_test_set,
    )
    from difficulty_model.responses import Responses, combine, load_responses
    from difficulty_model.robustness import Agreement, agreement, dominance, effective_robustness
    from difficulty_model.simulation import Simulation, TestSetPlan, simulate, simulate_responses
    from difficulty_model.specification import Prior, Specification

_HOME = {
    "InputError": "errors",
    "Responses": "responses",
    "combine": "responses",
    "load_responses": "responses",
    "load_example": "examples",
    "check_responses": "checking",
    "fix_responses": "checking",
    "Prior": "specification",
    "Specification": "specification",
    "recht_et_al": "family",
    "Fit": "fitting",
    "fit": "fitting",
    "load_fit": "fitting",
    "draw_difficulties": "posterior",
    "population_accuracies": "posterior",
    "population_table": "posterior",
    "skill_table": "posterior",
    "Law": "predicted_law",
    "law_between": "predicted_law",
    "observed_line": "observed",
    "replicated_accuracies": "predicted_law",
    "ModelPrediction": "prediction",
    "Prediction": "prediction",
    "choose_images": "prediction",
    "choose_models": "prediction",
    "images_within": "prediction",
    "predict_models": "prediction",
    "predict_test_set": "prediction",
    "Simulation": "simulation",
    "TestSetPlan": "simulation",
    "simulate": "simulation",
    "simulate_responses": "simulation",
    "plot_calibration": "plots",
    "plot_collections": "plots",
    "plot_examination": "plots",
    "plot_explained": "plots",
    "plot_gallery": "plots",
    "plot_law": "plots",
    "plot_misfit": "plots",
    "plot_new_models": "plots",
    "plot_prediction": "plots",
    "plot_simulation": "plots",
    "calibrate": "calibration",
    "AnnotatedImages": "collecting",
    "CollectionPlan": "collecting",
    "Collections": "collecting",
    "Frequencies": "collecting",
    "GivenPool": "collecting",
    "MatchedFrequency": "collecting",
    "Threshold": "collecting",
    "TopImages": "collecting",
    "Uniform": "collecting",
    "choose_candidates": "collecting",
    "collect": "collecting",
    "collect_responses": "collecting",
    "Evidence": "explanations",
    "Explained": "explanations",
    "Outcome": "explanations",
    "explain": "explanations",
    "Agreement": "robustness",
    "agreement": "robustness",
    "dominance": "robustness",
    "effective_robustness": "robustness",
    "check_fit": "misfit",
    "compare": "comparison",
    "loo": "comparison",
    "predict_held_out": "comparison",
    "predict_left_out": "comparison",
}

__all__ = [
    "AnnotatedImages",
    "Agreement",
    "CollectionPlan",
    "Collections",
    "Evidence",
    "Explained",
    "Fit",
    "Frequencies",
    "GivenPool",
    "InputError",
    "Law",
    "MatchedFrequency",
    "ModelPrediction",
    "Outcome",
    "Prediction",
    "Prior",
    "Responses",
    "Simulation",
    "Specification",
    "TestSetPlan",
    "Threshold",
    "TopImages",
    "Uniform",
    "agreement",
    "calibrate",
    "check_fit",
    "check_responses",
    "choose_candidates",
    "choose_images",
    "choose_models",
    "collect",
    "collect_responses",
    "combine",
    "compare",
    "dominance",
    "draw_difficulties",
    "effective_robustness",
    "explain",
    "fit",
    "fix_responses",
    "images_within",
    "law_between",
    "load_example",
    "load_fit",
    "load_responses",
    "loo",
    "observed_line",
    "plot_calibration",
    "plot_collections",
    "plot_examination",
    "plot_explained",
    "plot_gallery",
    "plot_law",
    "plot_misfit",
    "plot_new_models",
    "plot_prediction",
    "plot_simulation",
    "population_accuracies",
    "population_table",
    "predict_held_out",
    "predict_left_out",
    "predict_models",
    "predict_test_set",
    "recht_et_al",
    "replicated_accuracies",
    "simulate",
    "simulate_responses",
    "skill_table",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
