"""`python -m xmodal_kedro tag FILE...`: what a trained network hears in files, without a project around it.

    python -m xmodal_kedro tag --model OUT/06_models/vggish_plus recordings/ new.mp4
    python -m xmodal_kedro tag --model model.onnx --format json https://example.org/yard.ogg | jq .tags

Each file is tagged in windows. The exit status is 0 if all named files were tagged, 1 if one was not, and 2 for a wrong
command.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from xmodal_kedro.errors import OF_THE_OUTSIDE, UserError

if TYPE_CHECKING:
    from xmodal_kedro.params import EmbedParams

TABLE, JSON, CSV = "table", "json", "csv"
NO_RECORDINGS = ("not_media", "no_audio")
"""Reasons for which a file found in a folder is passed over: it is none of the recordings that were meant."""


class Printer(Protocol):
    """Prints the windows of files as they come."""

    def window(self, row: dict[str, Any]) -> None:
        """Print one window: a row of `RecordingEmbeddings` without its embedding."""


class TablePrinter:
    """For people: a line for each window, under the name of its file."""

    def __init__(self) -> None:
        self._file = ""

    def window(self, row: dict[str, Any]) -> None:
        if row["uri"] != self._file:
            self._file = row["uri"]
            click.echo(self._file)
        tags = "  ".join(f"{tag['name']} {tag['score']:.2f}" for tag in row["tags"]) or "-"
        click.echo(f"{row['start_s']:9.2f} {row['end_s']:9.2f}  {tags}")


class JsonPrinter:
    """JSON Lines: an object for each window."""

    def window(self, row: dict[str, Any]) -> None:
        tags = [{"name": tag["name"], "score": round(tag["score"], 6)} for tag in row["tags"]]
        shown = {"file": row["uri"], "start_s": row["start_s"], "end_s": row["end_s"], "tags": tags}
        click.echo(json.dumps(shown, ensure_ascii=False))


class CsvPrinter:
    """A row for each tag of each window, with a header."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(["file", "start_s", "end_s", "tag", "score"])

    def window(self, row: dict[str, Any]) -> None:
        for tag in row["tags"]:
            self._writer.writerow([row["uri"], row["start_s"], row["end_s"], tag["name"], f"{tag['score']:.6f}"])
        sys.stdout.flush()


PRINTERS: dict[str, type[TablePrinter] | type[JsonPrinter] | type[CsvPrinter]] = {
    TABLE: TablePrinter,
    JSON: JsonPrinter,
    CSV: CsvPrinter,
}


@click.command(name="tag", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", "-m", required=True, help="Folder of a trained network, a model.onnx, or an MLflow URI.")
@click.option("--format", "shape", type=click.Choice([*PRINTERS]), default=TABLE, show_default=True, help="Output.")
@click.option("--top", "tags", type=click.IntRange(0), default=5, show_default=True, help="Max tags of a window.")
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Lowest score shown.")
@click.option("--sure", is_flag=True, help="Only classes at or above their own thresholds, which keep a precision.")
@click.option(
    "--window", "window_s", type=float, default=4.0, show_default=True, help="Window, seconds; at least 0.975."
)
@click.option("--hop", "hop_s", type=float, help="From window to window, seconds.  [the window]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def tag(files: Sequence[str], model: str, shape: str, **settings: Any) -> None:
    """Print what a trained network hears in FILE..., with times: files, folders, globs or URLs, of sound or video."""
    from xmodal_kedro.params import EmbedParams

    if settings["hop_s"] is None:
        settings["hop_s"] = settings["window_s"]
    try:
        params = EmbedParams.model_validate(settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        problems = list(_tag(files, model, PRINTERS[shape](), params))
    except BrokenPipeError:  # such as `| head`
        sys.stderr.close()
        raise SystemExit(1) from None
    except (UserError, *OF_THE_OUTSIDE) as error:
        raise click.ClickException(str(error)) from error
    if problems:
        click.echo(f"{len(problems)} not tagged to the end:", err=True)
        for problem in problems:
            click.echo(f"  {problem}", err=True)
        raise SystemExit(1)


def _tag(addresses: Sequence[str], model: str, printer: Printer, params: EmbedParams) -> Iterator[str]:
    """Print the windows of all files, and yield what went wrong, file by file."""
    listed: list[tuple[Any, bool]] = []
    for address in addresses:
        try:
            listed += _listed(address)
        except UserError as error:  # the others are tagged all the same
            yield str(error)
    if not listed:
        return
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.inference.recordings import WindowEmbedder, embed_file
    from xmodal_kedro.reasons import MediaError

    embedder = WindowEmbedder(AudioModel.load(model, params.device), params)
    for file, was_named in listed:
        try:
            for rows in embed_file(file, embedder):
                for row in rows:
                    printer.window(row)
        except MediaError as error:
            if was_named or error.reason not in NO_RECORDINGS:
                yield f"{file.name}: {error.detail} ({error.reason})"


def _listed(address: str) -> Iterator[tuple[Any, bool]]:
    """Files at an address, under names by which a person finds them, and whether each was named itself.

    Raises:
        UserError: if nothing is there.
    """
    from dataclasses import replace

    from kedro.io import DatasetError

    from xmodal_kedro.datasets.sources import SourcesDataset

    try:
        found = SourcesDataset(path=address).load()
    except DatasetError as error:
        raise UserError(str(error.__cause__ or error)) from error
    for file in found.values():
        yield replace(file, name=file.path), len(found) == 1
