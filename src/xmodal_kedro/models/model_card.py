"""A model card for readers, in Markdown, from the JSON card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLASSES_IN_A_LINE = 12


def describe_model(card: Mapping[str, Any]) -> str:
    """What the network is, how it was made, how good it is, and how to use it, after Mitchell et al., "Model cards for
    model reporting" (2019).

    Args:
        card: as `models.card.make_card` makes it.
    """
    front_end, training, best = card["front_end"], card["training"], card["best"]
    classes = list(card["classes"])
    lines = [classes[at : at + _CLASSES_IN_A_LINE] for at in range(0, len(classes), _CLASSES_IN_A_LINE)]
    taught = "machine labels of frames and audio"
    if training.get("embedding_weight"):
        taught += f", and the audio teacher's embedding (weight {training['embedding_weight']:g})"
    return "\n".join(
        [
            f"# {card['model']}",
            "",
            f"An audio network: mono audio of any length, {front_end['sample_rate_hz'] / 1000:g} kHz, to an "
            f"embedding of {card['embedding_size']:,} numbers and probabilities of {len(classes):,} classes. It learnt "
            "from the sound of clips that nobody labelled.",
            "",
            "## Use",
            "",
            "    from xmodal_kedro import load",
            "",
            '    network = load("FOLDER")  # that holds weights.safetensors and card.json',
            "    network.embed(audio, sample_rate)",
            "    network.tag(audio, sample_rate)",
            "",
            "`model.onnx` does the same in onnxruntime, without torch: `audio`, float32 [sounds, samples] in [-1, 1], "
            "to `embedding` and `scores`.",
            "",
            "## How it was made",
            "",
            "| | |",
            "|---|---|",
            f"| weights | {card['parameter_count']:,}, digest `{card['weights_digest']}` |",
            f"| learnt from | {taught} |",
            f"| data | digest `{card['data_fingerprint']}` of clips, labels and vocabulary |",
            f"| epochs | at most {training['epochs']}; the weights are of epoch {int(best['epoch']) + 1} |",
            f"| clips | {card['clip_s']:g} s, {training['batch_size']} a step |",
            f"| front end | {front_end['mel_bands']} mel bands, {front_end['mel_low_hz']:g} to "
            f"{front_end['mel_high_hz']:g} Hz, ln(mel + {front_end['log_offset']:g}), every "
            f"{1000 * front_end['hop_length'] / front_end['sample_rate_hz']:g} ms |",
            f"| made with | {', '.join(f'{name} {version}' for name, version in card['versions'].items())} |",
            "",
            "## How good it is",
            "",
            f"Mean average precision on held-out clips, against the machine labels: {best['validation_map']:.3f}. "
            "Machine labels err, and so does what learnt from them. What the embedding is worth on a benchmark is in "
            "the report of `transfer_eval`.",
            "",
            "## Limits",
            "",
            "- Classes are what the teachers could name and the recordings held. They do not exclude each other.",
            "- Teachers and recordings have biases, and licences, which the network inherits; see to both before it is "
            "passed on.",
            "",
            "## Classes",
            "",
            *(", ".join(line) + ("," if line is not lines[-1] else "") for line in lines),
            "",
        ]
    )
