"""Nodes of the pipeline `train`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import AudioTeacherCard, TrainParams
from xmodal_kedro.params.training import Modality
from xmodal_kedro.storage import Checkpoints, DataFrame, Folder, Shards


def train_model(
    clips: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    training_checkpoints: Checkpoints,
    live_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    train: TrainParams,
    *beside: Shards,
) -> tuple[dict[str, Any], dict[str, Any], DataFrame]:
    """Train the network that `train.model` names.

    The audio teacher is opened if `train.live_teacher` is enabled, and only then. `beside` are the embeddings of the
    audio and of the visual teacher, and what the audio teacher said of views.

    Returns:
        The weights of the epoch with the highest validation mAP by name, their card, and one row for each epoch.
    """
    import pandas as pd

    from xmodal_kedro.training.fit import train_network
    from xmodal_kedro.training.training_data import prepare_training_data

    teacher = None
    if train.live_teacher.enabled:
        from xmodal_kedro.teachers.live import live_teacher

        teacher = live_teacher(audio_teacher, live_teacher_files, train)
    audio, visual, views = beside
    stored: dict[Modality, Shards] = {"audio": audio, "visual": visual}
    data = prepare_training_data(clips, labels, label_vocabulary, train, stored, teacher, views)
    trained = train_network(data, train, training_checkpoints)
    return trained.weights, trained.card, pd.DataFrame(trained.history)


def plot_training_curves(training_history: DataFrame) -> Any:
    """Losses and validation mAP over epochs, as a plotly figure."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    epochs = training_history["epoch"] + 1
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    for column, name in [("train_loss", "training loss"), ("validation_loss", "validation loss")]:
        figure.add_trace(go.Scatter(x=epochs, y=training_history[column], name=name))
    figure.add_trace(
        go.Scatter(x=epochs, y=training_history["validation_map"], name="validation mAP"), secondary_y=True
    )
    figure.update_xaxes(title="epochs done")
    figure.update_yaxes(title="binary cross-entropy", rangemode="tozero", secondary_y=False)
    figure.update_yaxes(title="mean average precision", range=[0, 1], dtick=0.2, secondary_y=True)
    return figure
