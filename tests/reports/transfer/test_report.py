from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pytest
from plotly.offline import get_plotlyjs

from tests.fakes import MemoryShard
from tests.reports.pages import flat, table_rows, unbalanced_tags, without_plotly
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.probe import edge_of
from xmodal_kedro.evaluation.statistics import all_gains, fold_values
from xmodal_kedro.media.outcomes import plot_outcomes
from xmodal_kedro.pipelines.transfer_eval import reporting
from xmodal_kedro.reports.transfer.plots import class_gains, confusion_matrix, gain_intervals
from xmodal_kedro.reports.transfer.report import advice


def predictions(clips_per_fold: int) -> pd.DataFrame:
    """ESC-10 in ten classes: pretrained misses two clips of a fold, random four, and zero-shot knows five classes."""
    rows = []
    for protocol, representation, misses, classes in (
        ("linear_probe", "pretrained", 2, 10),
        ("linear_probe", "random", 4, 10),
        ("zero_shot", "pretrained", 3, 5),
    ):
        for fold in range(1, 6):
            for clip in [clip for clip in range(clips_per_fold) if clip % 10 < classes]:
                truth = f"class_{clip % 10}"
                predicted = "class_9" if clip < misses else truth
                rows.append((protocol, representation, fold, f"{fold}-{clip}.ogg", truth, predicted))
    return pd.DataFrame(rows, columns=["protocol", "representation", "fold", "file", "truth", "predicted"])


def clip_shard(*spans_s: tuple[float, float]) -> MemoryShard:
    return MemoryShard(pa.table({"start_s": [start for start, _ in spans_s], "end_s": [end for _, end in spans_s]}))


def label_shard(targeted: int) -> MemoryShard:
    return MemoryShard(pa.table({"clip_id": ["a"]}).replace_schema_metadata({"targeted": str(targeted)}))


def duplicates(groups: dict[str, list[str]]) -> pd.DataFrame:
    """`NearDuplicates` of addresses by group."""
    rows = [(uri, group_id, uri, 4.0, 2.0) for group_id, uris in groups.items() for uri in uris]
    return pd.DataFrame(rows, columns=["video_id", "group_id", "uri", "matched_s", "picture_distance"])


def strengths(chosen: dict[str, list[float]]) -> pd.DataFrame:
    """`ProbeStrengths` of the folds, by representation, where 0.01 to 10 were on offer."""
    rows = [
        (representation, fold, strength, edge_of(strength, (0.01, 0.1, 1.0, 10.0)))
        for representation, values in chosen.items()
        for fold, strength in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows, columns=["representation", "fold", "strength", "edge"])


def report_inputs(clips_per_fold: int = 80) -> dict[str, Any]:
    """What the nodes of the report take, by name."""
    return dict(_made_inputs(clips_per_fold))


@cache
def _made_inputs(clips_per_fold: int) -> Mapping[str, Any]:
    reported = predictions(clips_per_fold)
    named = {"benchmark": "esc10", "model": "vggish_plus"}
    values = fold_values(reported, ["accuracy"]).assign(complete=clips_per_fold == 80, **named)
    folds = np.repeat(np.arange(1, 6), clips_per_fold)
    gains = all_gains(values, reported, rotate(folds), ["accuracy"]).assign(**named)
    epochs = [0, 1]
    videos = pd.DataFrame({"video_id": ["a", "b", "c", "d"], "duration_s": [3600.0, 1800.0, 60.0, 900.0]})
    rejected = pd.DataFrame({"uri": ["x.mp4", "y.mp4"], "reason": ["no_audio", "no_audio"], "detail": ""})
    unclipped = pd.DataFrame({"video_id": ["c"], "uri": ["c.mp4"], "reason": ["silent"], "detail": ""})
    cut_short = pd.DataFrame({"video_id": ["d"], "uri": ["d.mp4"], "reason": ["timed_out"], "detail": ""})
    return {
        "videos": videos,
        "rejected_videos": rejected,
        "clips": {
            "shard-00000": clip_shard((0.0, 600.0), (600.0, 1200.0), (0.0, 900.0)),
            "shard-00001": clip_shard((0.0, 900.0)),
            "shard-00002": MemoryShard(pa.table({"start_s": pa.array([], "f8"), "end_s": pa.array([], "f8")})),
        },
        "unclipped_videos": unclipped,
        "cut_short_videos": cut_short,
        "near_duplicates": duplicates({"a": ["a.mp4", "b.mp4"]}),
        "source_outcomes": plot_outcomes(videos, rejected, unclipped, cut_short),
        "labels": {"shard-00000": label_shard(2), "shard-00001": label_shard(1), "shard-00002": label_shard(0)},
        "label_vocabulary": pd.DataFrame({"name": ["<dog>", "rain"], "modality": ["visual", "both"]}),
        "label_metrics": {
            "labels.classes.effective": 1.8,
            "labels.classes_per_targeted_clip": 1.5,
            "labels.agreeing_share": 0.25,
        },
        "label_histogram": go.Figure(go.Bar(x=[3, 2], y=["dog", "rain"]), layout={"title": "2 classes over 5 clips"}),
        "model_card": {
            "model": "vggish_plus",
            "classes": ["<dog>", "rain"],
            "parameter_count": 1_234_567,
            "embedding_size": 512,
            "best": {"epoch": 1, "validation_map": 0.25},
            "weights_digest": "d1ce",
            "data_fingerprint": "f00d",
            "versions": {"torch": "2.11.0"},
        },
        "training_history": pd.DataFrame({"epoch": epochs, "validation_map": [0.2, 0.25]}),
        "training_curves": go.Figure(go.Scatter(x=epochs, y=[0.5, 0.4], name="training loss")),
        "leak_check": {"sources": 4, "sounds": 400, "silent_sounds": 0},
        "probe_strengths": strengths({"pretrained": [0.1, 0.1, 1.0, 0.1, 0.1], "random": [0.1, 0.01, 0.1, 0.1, 0.1]}),
        "transfer_results": values,
        "transfer_predictions": reported,
        "transfer_gains": gains,
        "confusion_matrix": confusion_matrix(reported),
        "gain_intervals": gain_intervals(gains),
        "class_gains": class_gains(reported),
        "embedding_map": go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="markers")),
        "run_provenance": {"MLflow run of this report": "c0de", "Commit of the code": "abba"},
    }


def render(clips_per_fold: int = 80, **changes: Any) -> str:
    """The page, with other inputs where some are given."""
    inputs = report_inputs(clips_per_fold) | changes

    def described(node: Callable[..., Any]) -> Any:
        return node(**{name: inputs[name] for name in inspect.signature(node).parameters})

    nodes = (reporting.describe_sources, reporting.describe_training, reporting.describe_results)
    return reporting.write_report(*map(described, nodes), inputs["probe_strengths"], inputs["run_provenance"])


def near_duplicates_part(groups: dict[str, list[str]]) -> str:
    page = without_plotly(render(near_duplicates=duplicates(groups)))
    return page[page.index("<h2>Near-duplicates") : page.index("<h2>Machine labels")]


def test_every_comparison_stands_in_one_table_with_its_gain_and_how_certain_that_is() -> None:
    rows = table_rows(without_plotly(render()))
    assert ["pretrained, linear probe", "97.5 ± 0.0", "", "", ""] in rows
    assert ["random weights, linear probe", "95.0 ± 0.0", "+2.5", "+2.5 to +2.5", "&lt; 0.001"] in rows


def test_folds_stand_in_a_table_of_their_own() -> None:
    assert ["Fold 1", "97.5", "95.0"] in table_rows(without_plotly(render()))


def test_a_protocol_that_asks_about_some_classes_says_how_many() -> None:
    rows = table_rows(without_plotly(render()))
    assert any(row[0] == "pretrained, zero-shot (200 clips of 5 classes)" for row in rows)


def test_random_is_said_to_be_a_fresh_initialisation_not_the_start_of_this_training() -> None:
    page = without_plotly(render())
    assert "Random weights are the same network at random initialisation" in flat(page)


def test_what_was_searched_for_leaks_is_shown_and_silent_sounds_where_there_are_some() -> None:
    page = flat(render())
    assert "None of the 400 sounds was found among the 4 sources of training" in page
    assert "sounds are silent" not in page
    page = render(leak_check={"sources": 4, "sounds": 400, "silent_sounds": 3})
    assert "3 sounds are silent; they are evaluated like all others" in flat(page)


def test_recordings_on_both_sides_of_the_official_division_are_named_beside_the_results() -> None:
    assert "official division has clips" not in flat(render())
    checked = {"sources": 4, "sounds": 400, "silent_sounds": 0, "divided_recordings": ["131943", "134049"]}
    assert "clips of 2 recordings both in training and in test: 131943, 134049." in flat(render(leak_check=checked))


def test_the_regularisation_of_each_fold_is_shown_and_where_it_is_the_end_of_the_offer() -> None:
    chosen = {"random": [0.01, 0.1, 0.1, 0.1, 0.1], "pretrained": [10, 1, 0.1, 10, 10], "log_mel": 5 * [1.0]}
    page = flat(without_plotly(render(probe_strengths=strengths(chosen))))
    assert "pretrained 10, 1, 0.1, 10, 10; random weights 0.01, 0.1, 0.1, 0.1, 0.1; log-mel statistics" in page
    assert "Pretrained: 3 of 5 folds chose the largest on offer" in page and "add larger values" in page
    assert "Random weights: 1 of 5 folds chose the smallest on offer" in page
    assert "Log-mel statistics: " not in page


def test_without_linear_probes_the_page_shows_no_regularisation() -> None:
    assert "Regularisation of the linear probes" not in flat(render(probe_strengths=strengths({})))


def test_the_provenance_names_the_hashes_of_weights_and_data() -> None:
    rows = table_rows(without_plotly(render()))
    assert ["Weights", "d1ce"] in rows and ["Clips, labels and vocabulary", "f00d"] in rows
    assert ["MLflow run of this report", "c0de"] in rows and ["Commit of the code", "abba"] in rows


def test_every_source_is_counted_in_one_row_with_its_reason() -> None:
    rows = table_rows(without_plotly(render()))
    first = rows.index(["Used to the end", "2", "1.50 h of recordings"])
    last = rows.index(["Found", "6", ""])
    assert [(name, count) for name, count, _ in rows[first + 1 : last]] == [
        ("Used in part: decoding took too long", "1"),
        ("No clip: silent", "1"),
        ("Rejected: no audio stream", "2"),
    ]
    assert rows[last - 1][2] == "there is no audio stream"
    assert sum(int(count) for _, count, _ in rows[first:last]) == 6
    assert "<dt>Sources used</dt><dd>3<small>of 6 found<" in without_plotly(render())


def test_near_duplicates_are_shown_in_groups_each_assigned_to_one_split() -> None:
    page = near_duplicates_part({"a": ["b.mp4", "a.mp4"], "c": ["f.mp4", "c.mp4", "<e>.mp4"]})
    assert "5 videos in 2 groups" in flat(page)
    assert "A group is assigned to one split" in flat(page)
    assert [row[:2] for row in table_rows(page)][1:] == [["&lt;e&gt;.mp4\nc.mp4\nf.mp4", "3"], ["a.mp4\nb.mp4", "2"]]
    assert "2 videos in 1 group:" in flat(near_duplicates_part({"a": ["a.mp4", "b.mp4"]}))


def test_of_many_and_of_large_groups_of_near_duplicates_some_are_named() -> None:
    crowd = {f"{group:02}": [f"{group:02}-{copy:04}.mp4" for copy in range(30 - group)] for group in range(12)}
    page = near_duplicates_part(crowd)
    rows = table_rows(page)[1:]
    assert "The 10 largest are shown." in page
    assert [int(count) for _, count, _ in rows] == list(range(30, 20, -1))
    assert rows[0][0].split("\n")[-2:] == ["00-0007.mp4", "and 22 more"]


def test_a_corpus_without_near_duplicates_says_so() -> None:
    page = near_duplicates_part({})
    assert "No two videos were found to hold the same recording." in page
    assert "<table" not in page


def test_clips_their_hours_and_those_with_a_target_are_counted_over_all_shards() -> None:
    page = without_plotly(render())
    assert "<dt>Clips</dt><dd>4<" in page
    assert "<dt>Sound</dt><dd>0.83 h<" in page
    assert "<dt>Clips with a target</dt><dd>3<small>75 % of all clips<" in page


def test_a_histogram_of_some_classes_says_so_and_keeps_its_ticks_short() -> None:
    name = "book jacket, dust cover, dust jacket, dust wrapper"
    histogram = go.Figure(go.Bar(x=[3], y=[name]), layout={"title": "2 classes over 5 clips"})
    page = without_plotly(render(label_histogram=histogram))
    assert "2 classes over 5 clips. The 1 most frequent are shown." in flat(page)
    assert re.search(r'"ticktext":\["book jacket, dust cover(…|\\u2026)"\]', page)
    assert "most frequent" not in without_plotly(render())


def test_the_labels_are_shown_in_three_numbers_and_agreement_only_where_two_teachers_gave_labels() -> None:
    page = without_plotly(render())
    assert "<dt>Classes</dt><dd>2<small>as diverse as 2 equal ones<" in page
    assert "<dt>Classes per clip</dt><dd>1.5<" in page
    assert "<dt>Teachers agree</dt><dd>25 %<" in page
    alone = {name: value for name, value in report_inputs()["label_metrics"].items() if name != "labels.agreeing_share"}
    assert "<dt>Teachers agree</dt><dd>–<" in without_plotly(render(label_metrics=alone))


def test_the_page_needs_no_network_and_holds_plotly_once() -> None:
    page = render()
    assert page.count(get_plotlyjs()) == 1
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", without_plotly(page))
    assert "@import" not in without_plotly(page)


def test_the_figures_are_there_and_equal_inputs_give_equal_pages() -> None:
    page = render()
    names = (
        *("gain-intervals", "class-gains", "confusion-matrix", "embedding-map"),
        *("source-outcomes", "label-histogram", "training-curves"),
    )
    assert all(f'id="{name}"' in page for name in names)
    assert page == render()


def test_published_numbers_stand_only_beside_the_whole_benchmark() -> None:
    assert "arXiv 1908.11219" in render(80)
    partial = flat(render(20))
    assert "arXiv 1908.11219" not in partial and "are not ESC-10" in partial


def test_names_from_the_data_are_escaped() -> None:
    hostile = '<script>alert("1")</script>'
    inputs = report_inputs()
    page = render(
        model_card=inputs["model_card"] | {"model": hostile},
        near_duplicates=duplicates({"a": [f"{hostile}.mp4", "b.mp4"]}),
        embedding_map=go.Figure(go.Scatter(x=[0], y=[0], text=[f"{hostile}.wav"])),
        run_provenance={"Commit of the code": hostile},
    )
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;") >= 4


def test_the_markup_is_balanced() -> None:
    assert unbalanced_tags(render()) == []


@pytest.mark.parametrize(("gain", "shown"), [(0.0123, "+1.2"), (-0.0123, "−1.2"), (-1e-9, "0.0")])
def test_gains_carry_their_sign_unless_they_round_to_nothing(gain: float, shown: str) -> None:
    page = render(transfer_gains=report_inputs()["transfer_gains"].assign(gain=gain))
    assert f"<dt>Gain</dt><dd>{shown}<small>" in page


def test_what_is_ahead_of_the_network_is_said_with_what_to_do() -> None:
    means = {("linear_probe", "pretrained", "accuracy"): {"mean": 0.8}}
    behind = {"gain": -0.123, "p_value": 0.0004}
    gains = {("linear_probe", "log_mel"): behind, ("linear_probe", "teacher"): behind | {"p_value": 0.04}}
    log_mel, teacher = advice(means, gains, "linear_probe", "accuracy")
    assert "12.3 points ahead" in log_mel and "p < 0.001" in log_mel and "more recordings" in log_mel
    assert "p = 0.040" in teacher and "representation: auto" in teacher
    by_chance = {("linear_probe", "teacher"): {"gain": -0.005, "p_value": 0.695}}
    (level,) = advice(means, by_chance, "linear_probe", "accuracy")
    assert "0.5 points ahead" in level and "p = 0.695" in level and "chance" in level and "representation" not in level
    ahead = {("linear_probe", "log_mel"): {"gain": 0.1, "p_value": 0.01}}
    assert advice(means, ahead, "linear_probe", "accuracy") == []
