from zoo.core.tables import markdown_table


def test_markdown_table():
    assert markdown_table(["model", "kB", ""], [["a", "12", ""], ("b", "3", "x")]).splitlines() == [
        "| model | kB | |",
        "|---|---:|---:|",
        "| a | 12 | |",
        "| b | 3 | x |",
    ]
    assert markdown_table(["a", "b"], [], "rl").splitlines() == ["| a | b |", "|---:|---|"]
