"""What a run logs: JSON lines and TensorBoard; timings go by a name apart, since all else is repeatable."""

import json
from collections.abc import Mapping
from pathlib import Path

TIMINGS = "time/"
"""Prefix of names that a repeated run will not repeat."""


class Writer:
    """Appends to `metrics.jsonl`; begun anew at a step, lines past it are cut. One process writes."""

    def __init__(self, workdir: Path, step: int, is_main: bool = True) -> None:
        from tensorboardX import SummaryWriter

        self._is_main = is_main
        if not is_main:
            return
        self._path = workdir / "metrics.jsonl"
        self._cut(step)
        self._file = self._path.open("a", encoding="utf-8", buffering=1)  # whole lines, for who looks on
        self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """One line."""
        if not self._is_main:
            return
        self._file.write(json.dumps({"step": step} | {k: float(v) for k, v in scalars.items()}) + "\n")
        for name, value in scalars.items():
            self._board.add_scalar(name, float(value), step)

    def flush(self) -> None:
        """To disk: what a checkpoint is to follow."""
        if not self._is_main:
            return
        try:
            self._file.flush()
            self._board.flush()
        except OSError as error:
            raise OSError(f"{self._path}: not written: {error.strerror}") from error

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_main:
            self._file.close()
            self._board.close()

    def _cut(self, step: int) -> None:
        """Also half a line, which a kill may have left."""
        if not self._path.exists():
            return
        whole = [line for line in self._path.read_text(encoding="utf-8").split("\n")[:-1] if _is_json(line)]
        kept = [line for line in whole if json.loads(line)["step"] <= step]
        part = self._path.with_suffix(".part")
        part.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        part.replace(self._path)


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
