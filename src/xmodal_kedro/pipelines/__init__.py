"""The pipelines, one a package: `nodes.py` computes, `pipeline.py` connects."""
