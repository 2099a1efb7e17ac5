"""Collecting a test set: candidates, annotators, and the strategies by which images are chosen."""

from difficulty_model.collecting.collections import Collections
from difficulty_model.collecting.frequencies import Frequencies, frequencies_of
from difficulty_model.collecting.given import GivenPool, choose_candidates
from difficulty_model.collecting.plan import CollectionPlan
from difficulty_model.collecting.responses import collect_responses
from difficulty_model.collecting.run import collect
from difficulty_model.collecting.strategies import (
    AnnotatedImages,
    MatchedFrequency,
    Strategy,
    Threshold,
    TopImages,
    Uniform,
)

__all__ = [
    "AnnotatedImages",
    "CollectionPlan",
    "Collections",
    "Frequencies",
    "GivenPool",
    "MatchedFrequency",
    "Strategy",
    "Threshold",
    "TopImages",
    "Uniform",
    "choose_candidates",
    "collect",
    "collect_responses",
    "frequencies_of",
]
