#!/bin/sh
# Read by the others: passwords from their files into the environment of one process, in no argument that ps shows.
AWS_ACCESS_KEY_ID="$(cat /run/secrets/s3_access_key)"
AWS_SECRET_ACCESS_KEY="$(cat /run/secrets/s3_secret_key)"
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://mlflow:$(cat /run/secrets/postgres_password)@postgres/mlflow"
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY MLFLOW_BACKEND_STORE_URI
