"""The house rules: import floors, no drawers for everything, no TensorFlow or torch at run time."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "abaw_jax"
FLOORS = {
    "labels": 0, "types": 0, "defaults": 0, "problems": 0, "progress": 0,
    "nn": 1, "losses": 1, "metrics": 1, "corpus": 1, "media": 1, "store": 1, "evaluation": 1, "terminal": 1,
    "prompts": 1,
    "encoders": 2, "models": 2, "faces": 2, "inputs": 2, "corpus.synthetic": 2,
    "tasks": 3, "extract": 3,
    "train": 4,
    "inference": 5, "report": 5,
    "main": 6, "cli": 6, "bench": 6,
}  # fmt: skip
NUMPY_ONLY = ("corpus", "media", "store", "evaluation")
DRAWERS = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
HEAVY = {"tensorflow", "torch"}
MAY_LOAD_HEAVY_LAZILY = ("encoders/convert.py", "bench/")


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if ".venv" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, ast.stmt, bool]]:
    """(dotted name, statement, whether it runs on import) of every import in a file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        at_top = node in tree.body
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node, at_top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the whole name"
            if node.module == "abaw_jax":
                yield from ((f"abaw_jax.{alias.name}", node, at_top) for alias in node.names)
            else:
                yield node.module, node, at_top


def room_of(name: str) -> str:
    """The room of a dotted name below the package: `corpus.synthetic` is one, it scores oracles."""
    parts = name.split(".")
    return "corpus.synthetic" if parts[:2] == ["corpus", "synthetic"] else parts[0]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", sources(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_import_only_from_lower_floors_or_their_own_folder(path: Path):
    room = room_of(dotted(path))
    if room == "__init__":
        return
    assert room in FLOORS, f"{room} has no floor: give it one in this test and in the design"
    for name, node, _ in imports(path):
        if not name.startswith("abaw_jax.") or room_of(name.removeprefix("abaw_jax.")) == room:
            continue
        below = FLOORS[room_of(name.removeprefix("abaw_jax."))]
        assert below < FLOORS[room], (
            f"{path}:{node.lineno}: {room} (floor {FLOORS[room]}) imports {name} ({below})"
        )


@pytest.mark.parametrize("path", sources(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_tensorflow_or_torch_at_run_time(path: Path):
    allowed = str(path.relative_to(PACKAGE)).startswith(MAY_LOAD_HEAVY_LAZILY)
    for name, node, at_top in imports(path):
        if name.split(".")[0] in HEAVY:
            assert allowed and not at_top, f"{path}:{node.lineno}: {name}"


def test_models_and_train_keep_to_themselves():
    for path in sources(PACKAGE / "models"):
        own = f"abaw_jax.models.{path.stem}"
        assert not [n for n, _, _ in imports(path) if n.startswith("abaw_jax.models.") and n != own], path
    for path in sources(PACKAGE / "train"):
        assert not [
            n for n, _, _ in imports(path) if n.startswith(("abaw_jax.encoders", "abaw_jax.extract"))
        ], path


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("configs", {"abaw_jax.defaults"}),
        (
            "data",
            {f"abaw_jax.{room}" for room in ("corpus", "store", "labels", "types", "inputs", "extract")},
        ),
    ],
)
def test_outer_folders_import_only_what_they_may(folder: str, allowed: set[str]):
    assert sources(ROOT / folder)
    for path in sources(ROOT / folder):
        for name, node, _ in imports(path):
            if name.startswith("abaw_jax"):
                assert ".".join(name.split(".")[:2]) in allowed, f"{path}:{node.lineno}: {name}"


def test_no_drawers():
    for folder in ("abaw_jax", "configs", "data", "tests"):
        assert not [path for path in sources(ROOT / folder) if path.name in DRAWERS]


@pytest.mark.parametrize("room", [room for room in NUMPY_ONLY if (PACKAGE / room).exists()])
def test_the_host_rooms_never_load_jax(room: str):
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources(PACKAGE / room)]
    code = f"import importlib as i, sys; [i.import_module(m) for m in {modules}]; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", f"{room} pulls in jax"
