"""What an order of trying lists is worth, on a table of what they give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import overall_improvement

from .measure import Measured


def improvement_at(order: NDArray[np.intp], table: Measured, tries: int) -> float:
    """Return the overall improvement over -Oz, sum(Oz) / sum(best) - 1, after some lists.

    Args:
        order: (functions, lists), columns of the table, in the order in which they are tried.
        table: Where the lists are measured.
        tries: How many lists of each row are tried.
    """
    tried = np.take_along_axis(table.sizes, order[:, :tries], axis=1)
    # The empty list is known without a compilation.
    best = np.minimum(tried.min(axis=1), table.initial)
    return overall_improvement(table.oz.tolist(), best.tolist())
