"""Events are joined from spans by hysteresis."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.exports.events import ROUNDING_S, Event, EventRule, Span, find_events

RULE = EventRule(threshold=0.5, low_threshold=0.25)


@st.composite
def spans_of(draw: st.DrawFn) -> Span:
    start = draw(st.integers(0, 40))
    length, score = draw(st.integers(1, 8)), draw(st.integers(0, 20)) / 20
    return Span(
        draw(st.sampled_from("ab")), draw(st.sampled_from(["dog", "rain"])), start / 2, (start + length) / 2, score
    )


@st.composite
def rules(draw: st.DrawFn) -> EventRule:
    low, high = sorted(draw(st.tuples(st.integers(0, 20), st.integers(0, 20))))
    return EventRule(high / 20, low / 20, draw(st.integers(0, 4)) / 2)


def inside(span: Span, event: Event) -> bool:
    return span[:2] == event[:2] and event.start_s <= span.start_s and span.end_s <= event.end_s


@given(st.lists(spans_of()), rules(), st.randoms())
def test_the_order_of_spans_does_not_matter(spans: list[Span], rule: EventRule, random: object) -> None:
    shuffled = list(spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert find_events(shuffled, rule) == find_events(spans, rule)


@given(st.lists(spans_of()), rules())
def test_events_of_one_label_are_further_apart_than_the_gap(spans: list[Span], rule: EventRule) -> None:
    events = sorted(find_events(spans, rule))
    for before, after in pairwise(events):
        if before[:2] == after[:2]:
            assert after.start_s - before.end_s > rule.max_gap_s


@given(st.lists(spans_of()), rules())
def test_a_span_with_the_threshold_lies_in_exactly_one_event(spans: list[Span], rule: EventRule) -> None:
    events = find_events(spans, rule)
    for span in spans:
        lies_in = sum(inside(span, event) for event in events)
        assert lies_in <= 1
        assert lies_in == 1 or span.score < rule.threshold


@given(st.lists(spans_of()), rules())
def test_an_event_is_made_of_spans_and_has_their_scores(spans: list[Span], rule: EventRule) -> None:
    for event in find_events(spans, rule):
        of_it = [span for span in spans if inside(span, event) and span.score >= rule.low_threshold]
        assert event.start_s == min(span.start_s for span in of_it)
        assert event.end_s == max(span.end_s for span in of_it)
        assert event.score == max(span.score for span in of_it) >= rule.threshold
        assert event.windows == len(of_it)
        assert abs(event.mean_score - sum(span.score for span in of_it) / len(of_it)) < 1e-9


@given(st.lists(spans_of()), st.integers(0, 20))
def test_a_lower_second_threshold_only_makes_events_longer(spans: list[Span], low: int) -> None:
    plain = find_events(spans, EventRule(0.5, 0.5))
    longer = find_events(spans, EventRule(0.5, min(low / 20, 0.5)))
    assert all(any(inside(Span(*event[:4], 1.0), other) for other in longer) for event in plain)
    assert Counter(event.label for event in longer) <= Counter(event.label for event in plain)


def row(start: float, score: float, label: str = "dog") -> Span:
    return Span("a.wav", label, start, start + 4, score)


def test_an_event_goes_on_below_the_threshold_and_ends_below_the_lower_one() -> None:
    scores = [0.3, 0.6, 0.4, 0.1, 0.4, 0.3, 0.9]
    events = find_events([row(4 * at, score) for at, score in enumerate(scores)], RULE)
    assert [(event.start_s, event.end_s, event.windows) for event in events] == [(0, 12, 3), (16, 28, 3)]
    assert find_events([row(0, 0.4)], RULE) == []


def test_a_gap_is_bridged_up_to_its_limit_and_rounding_is_none() -> None:
    apart = [row(0, 0.9), row(6, 0.9)]
    assert len(find_events(apart, RULE)) == 2
    assert len(find_events(apart, EventRule(0.5, 0.25, 2.0))) == 1
    assert len(find_events([row(0, 0.9), row(4 + ROUNDING_S / 2, 0.9)], RULE)) == 1


def test_windows_that_overlap_are_one_event_though_one_between_is_not_on() -> None:
    events = find_events([row(0, 0.9), row(2, 0.0), row(4, 0.9)], RULE)
    assert [(event.start_s, event.end_s) for event in events] == [(0, 8)]


def test_events_are_in_order_of_recording_time_and_label() -> None:
    spans = [Span("b", "x", 0, 1, 1), Span("a", "x", 5, 6, 1), Span("a", "z", 0, 9, 1), Span("a", "y", 0, 9, 1)]
    assert [(event.uri, event.label) for event in find_events(spans, RULE)] == [
        ("a", "y"),
        ("a", "z"),
        ("a", "x"),
        ("b", "x"),
    ]
