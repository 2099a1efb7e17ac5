"""What a careful colleague would notice in responses before fitting.

- `columns`: stored columns that are not sorted by rank, and the order that restores them
- `alignment`: rows or class ids in another order
- `likeness`: constant, identical and near-identical models
- `coverage`: too few models or images, missing responses
- `images`: images in several test sets, solved by nobody or by everybody
- `comparison`, `standing`: the numbers behind them; `finding`: the record; `run`: the two verbs
"""

from difficulty_model.checking.finding import Finding
from difficulty_model.checking.run import check_responses, fix_responses

__all__ = ["Finding", "check_responses", "fix_responses"]
