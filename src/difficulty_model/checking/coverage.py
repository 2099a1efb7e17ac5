"""Is there enough to fit? Models, images, and responses that were never observed."""

import numpy as np

from difficulty_model.checking.finding import Finding
from difficulty_model.responses import Responses

FEW_MODELS = 5
"""Below this, the difficulty of an image is known to about half a probit at best, and its distribution is
hardly seen."""

FEW_IMAGES = 100
"""Below this, the 95% interval of an accuracy is wider than 20 points."""

MOST = 0.5
"""Share of a test set's images that a model must miss to be called absent."""


def check_coverage(responses: Responses) -> list[Finding]:
    """Find too few models or images, models absent from a test set, and missing responses."""
    findings = []
    observed = int((responses.shown > 0).any(1).sum())
    if observed < FEW_MODELS:
        findings.append(Finding(
            "too-few-models", None, None, f"{observed} models have responses",
            f"add models, {FEW_MODELS} at least: difficulties are known only through models that fail and "
            "models that succeed",
            {"models": observed},
        ))
    for test_set, mask in zip(responses.test_sets, responses.member, strict=True):
        images = int(mask.sum())
        if images < FEW_IMAGES:
            findings.append(Finding(
                "too-few-images", None, test_set, f"{test_set!r} has {images} images",
                f"add images, {FEW_IMAGES} at least, or read its intervals as they are: wide",
                {"images": images},
            ))
        missing = (responses.shown[:, mask] == 0).mean(1)
        # Where images are dealt out to models by design, most models miss most images and none is absent.
        absent = missing >= MOST if np.median(missing) < MOST else np.zeros(len(missing), bool)
        findings += [
            Finding(
                "missing-block", responses.models[j], test_set,
                f"{responses.models[j]!r} was not observed on {missing[j]:.1%} of the {images} images in "
                f"{test_set!r}",
                "check that its file was found and is complete; if all is well, its accuracy there is "
                "predicted rather than observed",
                {"share_missing": float(missing[j]), "images": images},
            )
            for j in np.flatnonzero(absent)
        ]
        others = missing[~absent]
        if others.any():
            findings.append(Finding(
                "missing", None, test_set,
                f"{others.mean():.1%} of the responses in {test_set!r} were not observed"
                + (", models named as absent apart" if absent.any() else ""),
                "nothing, if whether a response is missing has nothing to do with its being right",
                {"share_missing": float(others.mean()), "models": int((others > 0).sum())},
            ))
    return findings
