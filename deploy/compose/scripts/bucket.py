"""Makes the bucket of MLflow's artifacts where it is not there."""

import os

import boto3
from botocore.exceptions import ClientError

bucket = os.environ["MLFLOW_ARTIFACTS_BUCKET"]
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
try:
    store.head_bucket(Bucket=bucket)
except ClientError as error:
    if error.response["Error"]["Code"] != "404":
        raise
    store.create_bucket(Bucket=bucket)
