"""Responses of models to images: one validated xarray.Dataset per collection.

A response is right, wrong or not observed; where an image was shown to a model several times, the counts of
right and of shown are kept. An import of top-k predictions also keeps the `position` of the right class among
the k stored, from which top-1, top-k and another column order all derive; and an import of classes the first class
`predicted`, in which models agree or not, right or wrong.
"""

from difficulty_model.responses.collection import Responses, Strata, load_responses
from difficulty_model.responses.combining import combine
from difficulty_model.responses.intervals import clopper_pearson
from difficulty_model.responses.validity import NOT_STORED

__all__ = ["NOT_STORED", "Responses", "Strata", "clopper_pearson", "combine", "load_responses"]
