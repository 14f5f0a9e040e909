"""The comparison as tables, JSON, Markdown and a plot. It can be written while jobs are still missing."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pse_sdk.files import write_atomically
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.reproduce.bloom import ITEMS, Job, Outcome
from pse_sdk.training.reproduce.page import write_between_marks
from pse_sdk.training.reproduce.paper import OURS, PAPER, TITLES, Finding, findings
from pse_sdk.training.reproduce.plot import plot_gains
from pse_sdk.training.reproduce.score import Gains

# The name of the marks that the tables stand between.
MARK = "pse reproduce bloom"
# Rows that a complete comparison has, whatever the block type.
MAIN = (*PAPER, *OURS)


@dataclass(frozen=True)
class TextTable:
    """A table that a terminal and a Markdown file show alike; the first column is text, the others figures."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def to_rich(self) -> Table:
        table = Table(title=self.title, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
        for i, name in enumerate(self.header):
            table.add_column(name, justify="right" if i else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def to_markdown(self) -> str:
        lines = [self.header, ["---"] + ["---:"] * (len(self.header) - 1), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Report:
    """Collects outcomes of jobs, for recipes by block type."""

    def __init__(self, recipes: dict[str, Recipe]) -> None:
        self.recipes = recipes
        self.rows: dict[str, dict[str, Gains]] = defaultdict(dict)

    def add(self, job: Job, outcome: Outcome) -> None:
        self.rows[job.kind].update(outcome.rows)

    def tables(self) -> list[TextTable]:
        """One per block type, the paper's figures on the right."""
        return [self._table(kind) for kind in self.recipes if self.rows[kind]]

    def findings(self) -> dict[str, list[Finding]]:
        """Which of the paper's shapes hold, by block type."""
        return {kind: findings(self.rows[kind]) for kind in self.recipes if self.rows[kind]}

    def write(self, page: Path) -> None:
        """The tables into a Markdown page; figures (.json) and plot (.png) of the same name beside it."""
        write_between_marks(page, MARK, "BLOOM-Net's comparison", self._markdown(page))
        with write_atomically(page.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(self._figures(), indent=1) + "\n", encoding="utf-8")
        means = {kind: {row: gains.mean(0) for row, gains in rows.items()} for kind, rows in self.rows.items()}
        plot_gains(means, page.with_suffix(".png"))

    def _table(self, kind: str) -> TextTable:
        recipe = self.recipes[kind]
        depths = recipe.model.blocks
        printed = len(PAPER["int"])
        header = ["depth", *(str(d + 1) for d in range(depths))]
        rows = []
        for row, name in TITLES.items():
            if row not in self.rows[kind] and row not in MAIN:
                continue
            done = row in self.rows[kind]
            ours = [f"{gain:.2f}" for gain in self.rows[kind][row].mean(0)] if done else ["-"] * depths
            theirs = [f"{gain:.2f}" for gain in PAPER[row]] if row in PAPER else [""] * printed
            rows.append([name, *ours, *theirs])
        seen = f"{recipe.steps} steps of {recipe.batch} x {recipe.mixing.seconds:g} s"
        title = f"{kind}: SI-SDR gain in dB after {seen}, {ITEMS} held-out mixtures; (d): the paper's at depth d"
        return TextTable(title, [*header, *(f"({d + 1})" for d in range(printed))], rows)

    def _markdown(self, page: Path) -> str:
        parts = []
        found = self.findings()
        for kind, table in zip(found, self.tables(), strict=True):
            parts += [f"**{table.title}**", table.to_markdown(), "\n".join(f"- {finding}" for finding in found[kind])]
        return "\n\n".join([*parts, f"![Gain over depth]({page.with_suffix('.png').name})"])

    def _figures(self) -> dict[str, Any]:
        return {
            kind: {
                "recipe": recipe.to_dict(),
                "items": ITEMS,
                "gain_db": {row: gains.mean(0).round(3).tolist() for row, gains in self.rows[kind].items()},
                "paper_db": PAPER,
                "findings": [str(finding) for finding in findings(self.rows[kind])],
            }
            for kind, recipe in self.recipes.items()
        }
