"""Promises about the code itself."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_keras"
SHELL = ("cli.py", "commands.py", "__main__.py", "demo.py", "evaluation.py", "plots.py")
SHELL += (
    "report.py",
    *("classical.py", "blur.py", "blurs.py"),  # what signal processing knew before
    "multi_worker.py",
    "replicas.py",
    "profiling.py",
    "unet_256.py",
    *("files.py", "colour16.py"),  # file formats
    "changes.py",  # a figure
    *("batch_norm.py", "optimizers.py", "precision.py"),  # faster forms of what Keras has
)
ASIDE = ("serving", "teaching")
CORE = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in SHELL and path.relative_to(PACKAGE).parts[0] not in ASIDE
]


def code_lines(source):
    """Count the lines that hold code: no blank line, no comment, no docstring."""
    documented = set()
    for node in ast.walk(ast.parse(source)):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    thin = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in thin | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def test_code_lines_counts_code_alone():
    assert code_lines('"""Doc."""\n\n# why\nx = [\n    1,\n]\n') == 3


def test_the_core_reads_in_one_sitting():
    assert sum(code_lines(path.read_text()) for path in CORE) <= 3000


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_modules_are_small(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("folder", ["networks", "losses"])
def test_networks_and_losses_know_keras_alone(folder):
    for path in (PACKAGE / folder).glob("*.py"):
        assert "tensorflow" not in path.read_text(), path


def test_nothing_guarded_by_house_rules_is_used():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        for word in ("tf.keras", "tensorflow_addons", "tf_keras", "layers.Lambda", '.h5"'):
            assert word not in source, (path, word)
