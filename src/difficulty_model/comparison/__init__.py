"""How well fits predict what they have not seen, and which does best.

- `loo`: every image left out once, by Pareto-smoothed importance sampling
- `left_out`: every model left out once, and predicted from its responses on the reference test set
- `held_out`: a test set that a fit has not seen
- `table`: fits side by side
- `addition`: the unknowns of one more model or test set, which the second and third infer
"""

from difficulty_model.comparison.held_out import HeldOut, predict_held_out
from difficulty_model.comparison.left_out import LeftOutModels, predict_left_out
from difficulty_model.comparison.loo import Loo, loo
from difficulty_model.comparison.table import Comparison, compare

__all__ = [
    "Comparison",
    "HeldOut",
    "LeftOutModels",
    "Loo",
    "compare",
    "loo",
    "predict_held_out",
    "predict_left_out",
]
