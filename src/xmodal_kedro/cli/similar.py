"""`python -m xmodal_kedro similar FILE`: where else in embedded recordings a sound is heard.

    python -m xmodal_kedro similar tap.wav --model MODEL --within OUT/07_model_output/vggish_plus/recordings
    python -m xmodal_kedro similar tap.wav --model MODEL --within ... --label tap > labelled/clips.csv

With `--label`, the rows are those of a table of labelled clips, which the pipeline `adapt` learns from once somebody
has listened to them.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from xmodal_kedro.errors import OF_THE_OUTSIDE, UserError

if TYPE_CHECKING:
    from xmodal_kedro.inference.similar import Match

SHAPES = TABLE, JSON, CSV = ("table", "json", "csv")


@click.command(name="similar", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("example", metavar="FILE")
@click.option("--model", "-m", required=True, help="The network that embedded the recordings.")
@click.option("--within", "-w", required=True, help="Folder `recordings` that the pipeline embed made.")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="Windows.")
@click.option("--per-recording", type=click.IntRange(1), help="Max windows of one recording.  [no limit]")
@click.option(
    "--format", "shape", type=click.Choice([TABLE, JSON, CSV]), default=TABLE, show_default=True, help="Output."
)
@click.option("--label", help="Print CSV of labelled clips: file, label, start_s, end_s.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def similar(
    example: str,
    model: str,
    within: str,
    count: int,
    per_recording: int | None,
    shape: str,
    label: str | None,
    device: str,
) -> None:
    """Print the windows of embedded recordings that are nearest to the sound of FILE."""
    from xmodal_kedro.inference.audio_model import AudioModel

    try:
        network = AudioModel.load(model, device)  # type: ignore[arg-type]  # checked by click
        found = network.similar(example, within, count=count, per_recording=per_recording)
        _print(found, shape, label)
    except BrokenPipeError:  # such as `| head`
        sys.stderr.close()
        raise SystemExit(1) from None
    except (UserError, *OF_THE_OUTSIDE) as error:
        raise click.ClickException(str(error)) from error


def _print(found: Sequence[Match], shape: str, label: str | None) -> None:
    if label is not None or shape == CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        columns = ["file", "start_s", "end_s", "cosine"] if label is None else ["file", "label", "start_s", "end_s"]
        writer.writerow(columns)
        for match in found:
            middle = [] if label is None else [label]
            end = [f"{match.cosine:.4f}"] if label is None else []
            writer.writerow([match.uri, *middle, f"{match.start_s:.12g}", f"{match.end_s:.12g}", *end])
        return
    for match in found:
        if shape == JSON:
            row = {"file": match.uri, "start_s": match.start_s, "end_s": match.end_s, "cosine": round(match.cosine, 6)}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{match.cosine:7.3f} {match.start_s:9.2f} {match.end_s:9.2f}  {match.uri}")
