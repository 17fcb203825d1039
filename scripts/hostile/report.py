"""The table of outcomes in docs/security.md."""

import collections

from hostile import kinds
from hostile.trial import FAULTS, GOOD
from zoo.core.tables import markdown_table

_TITLES = {
    "models": "Folders of models, `zoo.load`",
    "exports": "Exported files, `zoo.lite.load` and every verb",
    "data": "Pictures, archives and arrays, `zoo.data.load`; recipes",
}


def counted(results) -> dict:
    """{kind: {row: {outcome: number of cases}}} of results."""
    counts = {kind: {row: collections.Counter() for row in module.ROWS} for kind, module in kinds.KINDS.items()}
    for result in results:
        counts[result["case"].split("/")[0]][result["row"]][result["outcome"]] += 1
    return {kind: {row: dict(sorted(c.items())) for row, c in rows.items()} for kind, rows in counts.items()}


def faults(counts) -> int:
    """The number of cases with an outcome that is a fault."""
    return sum(c.get(fault, 0) for rows in counts.values() for c in rows.values() for fault in FAULTS)


def table(summary: dict) -> str:
    """The tables of a summary {"seed", "versions", "counts"} as Markdown."""
    counts = summary["counts"]
    total = sum(sum(c.values()) for rows in counts.values() for c in rows.values())
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    lines = [f"{total:,} cases, seed {summary['seed']}, {faults(counts)} faults; {versions}."]
    for kind, rows in counts.items():
        cells = []
        for row, c in rows.items():
            bad = ", ".join(f"{c[fault]} {fault}" for fault in FAULTS if c.get(fault))
            cells.append([row, sum(c.values()), *(c.get(good, 0) or "" for good in _columns(kind)), bad or "none"])
        sums = [sum(row[i] or 0 for row in cells) for i in range(1, 2 + len(_columns(kind)))]
        cells.append(["**all**", *sums, sum(c.get(f, 0) for c in rows.values() for f in FAULTS) or "none"])
        titles = ["what was changed", "cases", *_columns(kind), "faults"]
        lines += ["", f"### {_TITLES[kind]}", "", markdown_table(titles, cells, "l" + "r" * (len(titles) - 1))]
    return "\n".join(lines)


def _columns(kind):
    return ("refused", "read") if kind == "data" else tuple(name for name in GOOD if name != "read")
