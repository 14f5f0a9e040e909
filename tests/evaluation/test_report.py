"""Reports: JSON and back, groups, tables, differences, and the picture."""

import contextlib
import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from pse_sdk.errors import UsageError
from pse_sdk.evaluation.bootstrap import Values
from pse_sdk.evaluation.compare import differences_between, differences_within
from pse_sdk.evaluation.plot import COSTS, plot_report
from pse_sdk.evaluation.report import Report, Variant, load_report, save_report, summary
from pse_sdk.evaluation.systems import Cost
from pse_sdk.evaluation.tables import breakdowns, differences, notes, overview, to_markdown
from pse_sdk.pictures import check_picture


def changed(report: Report, system: str, by: float) -> Report:
    """The report with a system's SI-SDR moved."""
    variants = tuple(
        dataclasses.replace(v, columns={**v.columns, "si_sdr": Values(v.columns["si_sdr"].values + by, np.ones(12))})
        if v.system == system else v
        for v in report.variants
    )  # fmt: skip
    return dataclasses.replace(report, variants=variants)


def test_a_report_comes_back_from_json_with_every_value(report: Report, tmp_path: Path) -> None:
    report.variants[2].columns["si_sdr"].values[3] = np.nan
    save_report(report, tmp_path / "r.json")
    back = load_report(tmp_path / "r.json")
    assert (back.title, back.labels, back.seconds) == (report.title, report.labels, report.seconds)
    for a, b in zip(report.variants, back.variants, strict=True):
        assert (a.name, a.cost) == (b.name, b.cost)
        for key in report.columns:
            np.testing.assert_allclose(b.columns[key].values, a.columns[key].values, atol=1e-5)
            np.testing.assert_array_equal(b.columns[key].weights, a.columns[key].weights)


def test_json_states_the_means_for_other_programs(report: Report, tmp_path: Path) -> None:
    save_report(report, tmp_path / "r.json")
    good = json.loads((tmp_path / "r.json").read_text())["variants"][2]
    assert good["means"]["si_sdr_gain"]["mean"] == pytest.approx(8, abs=0.2)
    assert good["means"]["si_sdr_gain"]["low"] < 8 < good["means"]["si_sdr_gain"]["high"]
    assert good["means"]["wer"]["mean"] == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "not a report"),
        ('{"format": 7}', "report format 7"),
        ('{"format": 1}', "not a report"),
        ("[]", "not a"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_report(tmp_path / "r.json")
    with pytest.raises(UsageError, match="cannot be read"):
        load_report(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("values", [1]), ("values", {"si_sdr": [1e400, 1, 1, 1]}), ("system", ["x"]),
        ("weights", []), ("weights", {"si_sdr": [-1, 1, 1, 1]}),
    ],
)  # fmt: skip
def test_a_damaged_report_is_refused(report: Report, tmp_path: Path, key: str, value: object) -> None:
    save_report(report, tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    variant = content["variants"][0]
    if isinstance(value, dict):  # as many as there are items
        value = {"si_sdr": (value["si_sdr"] * len(content["items"]))[: len(content["items"])]}
    variant[key] = value
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="not a report"):
        load_report(tmp_path / "r.json")


def test_gains_are_from_the_unprocessed_and_those_have_none(report: Report) -> None:
    assert "si_sdr_gain" not in summary(report, report.variants[0])
    gain = summary(report, report.variants[1])["si_sdr_gain"]
    mean = summary(report, report.variants[1])["si_sdr"]
    assert gain.mean == pytest.approx(6, abs=0.2)
    assert gain.high - gain.low < 0.3 * (mean.high - mean.low)  # what makes an item hard is not in a gain


def test_items_are_grouped_by_snr_and_by_noise_where_there_are_enough(report: Report) -> None:
    assert {band: len(items) for band, items in report.snr_bands().items()} == {"-5 dB": 4, "0 dB": 4, "5 dB": 4}
    halves = [dataclasses.replace(label, snr_db=2.5 + 5 * (i % 4)) for i, label in enumerate(report.labels)]
    assert list(dataclasses.replace(report, labels=tuple(halves)).snr_bands()) == [
        "2.5 dB",
        "7.5 dB",
        "12.5 dB",
        "17.5 dB",
    ]
    many = [dataclasses.replace(label, snr_db=1.1 * i - 2) for i, label in enumerate(report.labels)]
    assert list(dataclasses.replace(report, labels=tuple(many)).snr_bands()) == ["0 dB", "5 dB", "10 dB"]
    assert {name: len(items) for name, items in report.noise_classes().items()} == {"rain": 7, "others": 5}
    called = [dataclasses.replace(x, noise=x.noise if i < 7 else "others") for i, x in enumerate(report.labels)]
    assert len(dataclasses.replace(report, labels=tuple(called)).noise_classes()["others"]) == 5
    mixed = [dataclasses.replace(x, noise="others" if i < 5 else f"c{i // 10}") for i, x in enumerate(report.labels)]
    groups = dataclasses.replace(report, labels=tuple(mixed)).noise_classes()
    assert sum(map(len, groups.values())) == 12


def test_the_first_system_is_compared_at_every_depth_with_one_that_has_none(report: Report) -> None:
    rows = differences_within(report)
    assert [(row.better, row.than) for row in rows] == [("good 1", "flat"), ("good 2", "flat")]
    assert rows[1].columns["si_sdr"].mean == pytest.approx(3, abs=0.2)
    assert [row.columns["si_sdr"].sign for row in rows] == [1, 1]
    assert rows[0].columns["wer"].mean == pytest.approx(5)


def test_an_earlier_report_is_compared_system_by_system(report: Report) -> None:
    rows = differences_between(report, changed(report, "good", -0.5))
    assert [row.columns["si_sdr"].mean for row in rows] == pytest.approx([0.5, 0.5, 0])
    assert [row.columns["si_sdr"].sign for row in rows] == [1, 1, 0]


@pytest.mark.parametrize(("off", "same"), [(0.004, True), (0.02, False)])
def test_a_frame_at_the_limit_of_stoi_makes_no_other_recording(report: Report, off: float, same: bool) -> None:
    columns = [v.columns | {"stoi": v.columns["si_sdr"]} for v in report.variants]
    one = dataclasses.replace(
        report, variants=tuple(dataclasses.replace(v, columns=c) for v, c in zip(report.variants, columns, strict=True))
    )
    first = columns[0]["stoi"]
    moved = first._replace(values=first.values + off * (np.arange(len(first.values)) == 3))
    unprocessed = dataclasses.replace(one.variants[0], columns=columns[0] | {"stoi": moved})
    other = dataclasses.replace(one, variants=(unprocessed, *one.variants[1:]))
    with contextlib.nullcontext() if same else pytest.raises(UsageError, match="stoi of the unprocessed ones"):
        assert differences_between(one, other)


def test_reports_of_other_items_are_not_compared(report: Report) -> None:
    fewer = dataclasses.replace(report, labels=report.labels[:5])
    with pytest.raises(UsageError, match=r"other items \(12 and 5"):
        differences_between(report, fewer)
    with pytest.raises(UsageError, match="same names but differ"):
        differences_between(report, changed(report, "unprocessed", 1.0))
    renamed = dataclasses.replace(report.variants[1], system="x")
    other = dataclasses.replace(report, variants=(report.variants[0], renamed))
    with pytest.raises(UsageError, match="no system is in both"):
        differences_between(report, other)


def test_tables_show_figures_with_their_intervals(report: Report) -> None:
    sheet = overview(report)
    assert sheet.header == ("system, depth", "SI-SDR dB", "gain", "WER %", "ms/frame", "MMAC/s")
    assert [row[0].text for row in sheet.rows] == ["unprocessed", "good 1", "good 2", "flat"]
    assert sheet.rows[2][-1].text == "200"
    assert [s.title for s in breakdowns(report, first_only=True)] == [
        "SI-SDR gain dB by SNR (items)", "SI-SDR gain dB by noise class (items)"]  # fmt: skip
    page = to_markdown(report, [differences(differences_within(report))])
    assert re.search(r"\| good 2 - flat \| \+\d\.\d\d\* \(\+\d\.\d\d \+\d\.\d\d\) \| -5.0\* \(-5.0 -5.0\) \|", page)
    assert "WER % by SNR" in page


def test_a_system_whose_multiplications_nobody_knows_still_shows_its_time(report: Report) -> None:
    timed = dataclasses.replace(report.variants[-1], cost=Cost(0.5))
    sheet = overview(dataclasses.replace(report, variants=(*report.variants[:-1], timed)))
    assert [cell.text for cell in sheet.rows[-1][-2:]] == ["0.500", ""]


def test_outputs_that_could_not_be_scored_are_counted(report: Report) -> None:
    assert not any("could not be computed" in line for line in notes(report))
    report.variants[1].columns["wer"].values[:2] = np.nan
    assert notes(report)[0].startswith("WER: 2 of 48 scores could not be computed")


def test_every_line_of_the_picture_is_in_its_legend(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[list[str]] = []
    monkeypatch.setattr(Figure, "legend", lambda _, __, labels, **___: named.append([*labels]))
    plot_report(report, tmp_path / "r.png")
    assert {"unprocessed", "good", "flat"} <= {*named[0]}


def test_the_picture_is_drawn_or_refused_before_the_work(report: Report, tmp_path: Path) -> None:
    plot_report(report, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="pictures are written as"):
        check_picture(tmp_path / "r.bmp")


def with_columns(report: Report, *columns: str) -> Report:
    variants = tuple(dataclasses.replace(v, columns={c: v.columns[c] for c in columns}) for v in report.variants)
    return dataclasses.replace(report, variants=variants)


def test_an_earlier_report_of_fewer_metrics_leaves_cells_empty(report: Report) -> None:
    rows = differences_within(report) + differences_between(report, with_columns(report, "si_sdr"))
    sheet = differences(rows)
    assert len({len(row) for row in sheet.rows}) == 1
    assert sheet.rows[-1][list(sheet.header).index("WER %")].text == ""


def test_reports_without_a_metric_or_depth_in_common_are_not_compared(report: Report) -> None:
    with pytest.raises(UsageError, match="no metric is in both"):
        differences_between(with_columns(report, "wer"), with_columns(report, "si_sdr"))
    one, two = (
        dataclasses.replace(
            report, variants=(report.variants[0], *(v for v in report.variants[1:] if v.name == f"good {depth}"))
        )
        for depth in (1, 2)
    )
    with pytest.raises(UsageError, match=r"good: no depth is in both reports \(the earlier one has 2\)"):
        differences_between(one, two)


def test_frames_of_different_length_are_told_apart(report: Report) -> None:
    long = dataclasses.replace(report.variants[-1], system="slow", cost=Cost(0.5, None, 20.0, "onnx"))
    (told,) = [line for line in notes(dataclasses.replace(report, variants=(*report.variants, long)))
               if line.startswith("ms/frame")]  # fmt: skip
    assert "20 ms of audio (slow in onnx)" in told
    assert "a frame is 10 ms of audio (good in onnx)" in told


def test_the_picture_shows_what_audio_of_one_length_takes() -> None:
    per_frame, none = (Variant("x", None, cost, {}) for cost in (Cost(2.0, None, 16.0), Cost()))
    assert next(iter(COSTS.values()))(per_frame) == pytest.approx(1.25)
    assert next(iter(COSTS.values()))(none) is None


def test_where_a_difference_lies_is_told_with_its_star(report: Report) -> None:
    text = io.StringIO()
    Console(file=text, width=200).print(differences(differences_within(report)).to_rich())
    assert re.search(r"good 2 - flat +\+\d\.\d\d\* +-5.0\*", text.getvalue())
    assert re.search(r"\(\+\d\.\d\d \+\d\.\d\d\)", text.getvalue())
    assert "±" not in text.getvalue()


def test_a_class_named_like_markup_is_shown(report: Report) -> None:
    labels = tuple(dataclasses.replace(x, noise="[/street]") for x in report.labels)
    console = Console(file=io.StringIO(), width=200)
    for sheet in breakdowns(dataclasses.replace(report, labels=labels)):
        console.print(sheet.to_rich())
    assert "[/street]" in console.file.getvalue()  # type: ignore[attr-defined]
