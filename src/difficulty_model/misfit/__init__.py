"""Whether to believe a fit: the observed responses beside data sets replicated from it.

- `extremes`: images that all models get right, and that none does
- `histogram`: the number of models right per image
- `accuracy`: of every model in every test set
- `agreement`: of pairs of models, and how often the weaker one alone is right
- `calibration`: by difficulty and skill
- `dependence`: models that agree beyond difficulty, and the groups they form
- `image_fit`: images that behave against skill
- `replication`: the replicated data sets; `record`: what a check says; `parts`: test sets; `run`: the verb
"""

from difficulty_model.misfit.record import Comparison, MisfitCheck
from difficulty_model.misfit.run import check_fit

__all__ = ["Comparison", "MisfitCheck", "check_fit"]
