"""Small notebooks for the tests of the machinery."""

from pathlib import Path

import nbformat

v4 = nbformat.v4


def write(path: Path, *cells: str, parameters: str = "n = 1  # how many\nname = 'a'\nrate = 0.5\nflag = False") -> Path:
    """A notebook whose first cell holds parameters and whose other cells are code, or prose if they begin with #."""
    head = v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters")
    rest = [
        v4.new_markdown_cell(text, id=f"c{i}") if text.startswith("# ") else v4.new_code_cell(text, id=f"c{i}")
        for i, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=[head, *rest], metadata=kernel), path)
    return path
