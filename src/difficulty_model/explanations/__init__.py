"""Explanations of the gap between accuracies on two test sets, one module each, examined in one table."""

from difficulty_model.explanations.catalogue import EXPLANATIONS, explanation_named
from difficulty_model.explanations.effect import Effect
from difficulty_model.explanations.evidence import Evidence, NotTestableError, gather
from difficulty_model.explanations.examination import Examination, Explanation, Outcome
from difficulty_model.explanations.invalid_images import missed_images, page_of
from difficulty_model.explanations.run import Explained, examine, explain

__all__ = [
    "EXPLANATIONS", "Effect", "Evidence", "Examination", "Explained", "Explanation", "NotTestableError", "Outcome",
    "examine", "explain", "explanation_named", "gather", "missed_images", "page_of",
]
