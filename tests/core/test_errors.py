# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

from speechmill.core.errors import FetchError


def test_an_error_crosses_the_border_of_a_process_whole():
    error = pickle.loads(pickle.dumps(FetchError("rate", "http-429", "later", retry_after=7.5)))
    assert (error.kind, error.reason, error.detail, error.retry_after) == ("rate", "http-429", "later", 7.5)
    assert not error.permanent
    assert pickle.loads(pickle.dumps(FetchError("permanent", "private"))).permanent
