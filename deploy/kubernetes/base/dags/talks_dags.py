# SPDX-License-Identifier: Apache-2.0
"""The DAGs of corpora/corpus.yaml. The image of their tasks is that of the stage: see overlays."""

import os

from speechmill.orchestrators.airflow import dags_from

SETTINGS = {"orchestrate.image": os.environ["SPEECHMILL_IMAGE"]}

for dag in dags_from("/project/corpora/corpus.yaml", SETTINGS):
    globals()[dag.dag_id] = dag
