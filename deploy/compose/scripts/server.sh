#!/bin/sh
# The database brought up to this MLflow, then the server.
set -eu
. /scripts/secrets.sh
python -c 'import os; from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine
_upgrade_db(create_sqlalchemy_engine(os.environ["MLFLOW_BACKEND_STORE_URI"]))'
exec mlflow server --host 0.0.0.0 --port 5000 --workers 4 \
    --artifacts-destination "s3://${MLFLOW_ARTIFACTS_BUCKET}" --allowed-hosts "${ALLOWED_HOSTS}"
