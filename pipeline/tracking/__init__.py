"""The projection of a sweep's record into MLflow: the only package that imports mlflow, and only when it is used."""
