"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^## (A new \w+)$", PAGE, re.MULTILINE)
COPIED = ("abaw_jax", "configs", "tests", "pyproject.toml", "README.md", "CONTRIBUTING.md")


def blocks(recipe: str) -> Iterator[tuple[str, str, str]]:
    """(language, file that the step names last before the block, what is in it)."""
    page = PAGE.partition(f"## {recipe}\n")[2].partition("\n## ")[0]
    for said, language, text in re.findall(r"(.*?)^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        named = re.findall(r"`((?:abaw_jax|configs|tests)/[\w/]+\.py)`", said.partition(". ")[2] or said)
        yield language, named[0] if named else "", text


def patch(path: Path, text: str) -> None:
    """Every hunk once: lines that begin with a blank say where."""
    for hunk in text.split("@@\n"):
        lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines()]
        old, new = ("".join(f"{rest}\n" for mark, rest in lines if mark in kept) for kept in (" -", " +"))
        whole = path.read_text(encoding="utf-8")
        assert whole.count(old) == 1, f"{path}: found {whole.count(old)} times:\n{old}"
        path.write_text(whole.replace(old, new), encoding="utf-8")


def test_there_are_three_recipes():
    assert RECIPES == ["A new encoder", "A new system", "A new loss"]
    assert all({"diff", "bash"} <= {language for language, *_ in blocks(recipe)} for recipe in RECIPES)


@pytest.mark.full
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_can_be_followed_by_pasting(recipe: str, tmp_path: Path):
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    place = os.environ | {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    place["PATH"] = f"{Path(sys.executable).parent}:{place['PATH']}"
    for language, file, text in blocks(recipe):
        if language == "python":
            (tmp_path / file).write_text(text, encoding="utf-8")
        elif language == "diff":
            patch(tmp_path / file, text)
        else:
            done = subprocess.run(
                ["bash", "-e", "-c", text], cwd=tmp_path, env=place, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            for count in re.findall(r"# (\d+ passed)", text):
                assert count in done.stdout, done.stdout
