"""The pipeline `train`: weights, their card and training curves from clips and labels."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import plot_training_curves, train_model


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Train the network `train.model`, and plot its training curves."""
    return Pipeline(
        [
            Node(
                train_model,
                inputs=[
                    "clips",
                    "labels",
                    "label_vocabulary",
                    "training_checkpoints",
                    "live_teacher_files",
                    "params:audio_teacher",
                    "params:train",
                    "teacher_embeddings",
                    "visual_teacher_embeddings",
                    "teacher_views",
                ],
                outputs=["model_weights", "model_card", "training_history"],
                name="train_model",
            ),
            Node(
                plot_training_curves,
                inputs="training_history",
                outputs="training_curves",
                name="plot_training_curves",
            ),
        ]
    )
