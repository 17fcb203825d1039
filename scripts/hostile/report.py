"""The table of outcomes in docs/security.md."""

import collections

from hostile import kills, kinds
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
    counts["kills"] = {row: collections.Counter() for row in kills.rows()}
    for result in results:
        counts[result["case"].split("/")[0]][result["row"]][result["outcome"]] += 1
    return {kind: {row: dict(sorted(c.items())) for row, c in rows.items()} for kind, rows in counts.items()}


def faults(counts) -> int:
    """The number of cases with an outcome that is a fault."""
    return sum(c.get(fault, 0) for rows in counts.values() for c in rows.values() for fault in FAULTS)


def tables(summary: dict) -> dict[str, str]:
    """The Markdown of a summary {"seed", "versions", "counts"}: "outcomes" of what was read, and of "kills"."""
    counts = {kind: rows for kind, rows in summary["counts"].items() if kind != "kills"}
    total = sum(sum(c.values()) for rows in counts.values() for c in rows.values())
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    parts = [f"{total:,} cases, seed {summary['seed']}, {faults(counts)} faults; {versions}."]
    for kind, rows in counts.items():
        parts += [f"### {_TITLES[kind]}", _table(kind, rows, "what was changed")]
    return {"outcomes": "\n\n".join(parts), "kills": _table("kills", summary["counts"]["kills"], "writer")}


def _table(kind, rows, title):
    cells = []
    for row, c in rows.items():
        bad = ", ".join(f"{c[fault]} {fault}" for fault in FAULTS if c.get(fault))
        cells.append([row, sum(c.values()), *(c.get(good, 0) or "" for good in _columns(kind)), bad or "none"])
    sums = [sum(row[i] or 0 for row in cells) for i in range(1, 2 + len(_columns(kind)))]
    cells.append(["**all**", *sums, faults({kind: rows}) or "none"])
    titles = [title, "cases", *_columns(kind), "faults"]
    return markdown_table(titles, cells, "l" + "r" * (len(titles) - 1))


def _columns(kind):
    if kind == "kills":
        return kills.EARLIER, kills.NEW
    return ("refused", "read") if kind == "data" else tuple(name for name in GOOD if name != "read")
