# SPDX-License-Identifier: Apache-2.0
"""Products in tiles against products as a whole."""

import numpy as np
import pytest

from speechmill.acoustic.products import product


@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(1, 3, 2), (31, 78, 400), (97, 78, 1201), (640, 257, 26), (0, 5, 5)]
)
def test_tiles_give_the_whole_product(rows, inner, columns):
    rng = np.random.default_rng(rows)
    left, right = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
    np.testing.assert_allclose(product(left, right), left @ right, atol=1e-10)
