"""What reads and writes: Kedro datasets, named in the catalog by these names."""

from xmodal_kedro.datasets.checkpoints import CheckpointDataset
from xmodal_kedro.datasets.files import HtmlDataset, JsonDataset, PlotDataset, TableDataset, WeightsDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset

__all__ = [
    "CheckpointDataset",
    "FolderDataset",
    "HtmlDataset",
    "JsonDataset",
    "PlotDataset",
    "ShardedParquetDataset",
    "TableDataset",
    "WeightsDataset",
]
