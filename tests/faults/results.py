"""What a run of the small world has stored, to be compared byte by byte."""

from __future__ import annotations

import io
from collections.abc import Mapping

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

LAYERS = (*("01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input", "06_models", "07_model_output"),)
OF_THE_RUN = ("probes", "checkpoints", ".runs", "unfinished_run.json")
"""What holds times of files, or is of the run and not of its results."""


def contents(root: str, options: dict) -> dict[str, bytes]:
    """The bytes of all results below a data root, by name."""
    fs = fsspec.filesystem("s3" if root.startswith("s3://") else "file", **options)
    top = fs._strip_protocol(root)
    fs.invalidate_cache()
    paths = [path for layer in LAYERS if fs.isdir(f"{top}/{layer}") for path in fs.find(f"{top}/{layer}")]
    kept = [path for path in paths if not any(part in OF_THE_RUN for part in path.removeprefix(top).split("/"))]
    return {path.removeprefix(top): fs.cat_file(path) for path in kept}


def without_fingerprints(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files by name, with the rows of sharded tables alone, and without the index of their fingerprints."""
    kept = {}
    for name, content in files.items():
        if name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content)).replace_schema_metadata(None).combine_chunks()
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            content = sink.getvalue()
        if not name.endswith("/_index.json"):
            kept[name] = content
    return kept
