"""The index of a root, kept: one .npz of labels, masks and clocks, checked against the files' time stamps."""

import dataclasses
import hashlib
import json
import os
import struct
import tempfile
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.index import build
from abaw_jax.corpus.scan import Scan, changed
from abaw_jax.corpus.sources import UNREADABLE
from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.problems import Problem
from abaw_jax.progress import OnProgress, silent

REVISION = 2
"""Bumped by hand when the reader's results change: an index of another revision is built anew."""

DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError, struct.error,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""What an archive raises, and what is in it, once some of its bytes have changed."""


def open_corpus(
    root: str | Path,
    edition: int | None = None,
    splits: dict[str, str] | None = None,
    index_times: bool = True,
    cache_dir: Path | None = None,
    on_progress: OnProgress = silent,
) -> Corpus:
    """The corpus below `root`, from its cached index where that still stands, else read anew and cached.

    `edition` and `splits` (folder relative to the root ▶ split) overrule what the paths say;
    `index_times=False` trusts the containers' rate and reads no packets.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; expected the root of an Aff-Wild2 download")
    settings = [REVISION, str(root.resolve()), edition, sorted((splits or {}).items()), index_times]
    path = index_path(settings, cache_dir)
    corpus = load(path, root)
    if corpus is None:
        corpus, found = build(root, edition, splits, index_times, on_progress)
        if not any(problem.kind in (UNREADABLE, "unreadable folder") for problem in corpus.problems):
            save(
                path, corpus, found
            )  # what could not be read today may be readable tomorrow, its time unchanged
    return corpus


def default_folder() -> Path:
    """What can be made again lies here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "abaw_jax"


def index_path(settings: list, cache_dir: Path | None = None) -> Path:
    """Where the index of these settings is kept: outside the root, which may not be ours to write to."""
    base = cache_dir or default_folder()
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    return base / f"index-{digest}.npz"


def save(path: Path, corpus: Corpus, found: Scan) -> None:
    """Write the index under a temporary name and rename it. A folder that refuses is no reason to stop."""
    arrays, tracks = _pack(corpus)
    meta = {
        "stamps": found.stamps,
        "tracks": tracks,
        "splits": [[*key, members] for key, members in corpus.splits.items()],
        "samples": [[*key, sample] for key, sample in corpus.samples.items()],
        "listed": [[*key, count] for key, count in corpus.listed.items()],
        "stills": corpus.stills,
        "root": str(corpus.root),
        "problems": [dataclasses.astuple(problem) for problem in corpus.problems],
    }
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            np.savez(file, allow_pickle=False, **arrays)
        Path(file.name).replace(path)
    except OSError:
        return


def load(path: Path, root: Path) -> Corpus | None:
    """The cached corpus, or None where there is no index, it is damaged, or a file has changed since."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            meta = json.loads(file["meta"].tobytes())
            if changed(root, meta["stamps"]) is not None:
                return None
            arrays = {key: file[key] for key in file.files if key != "meta"}
        return _corpus(root, meta, arrays)
    except DAMAGE:
        return None


def _corpus(root: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Corpus:
    problems = [Problem(*fields) for fields in meta["problems"]]
    return Corpus(
        root,
        _unpack(meta["tracks"], arrays),
        {(task, edition, split): tuple(members) for task, edition, split, members in meta["splits"]},
        {(task, edition, split): sample for task, edition, split, sample in meta["samples"]},
        {(task, edition, split): count for task, edition, split, count in meta["listed"]},
        meta["stills"],
        tuple(_seen_from(root, meta["root"], problem) for problem in problems),
    )


def _seen_from(root: Path, first_root: str, problem: Problem) -> Problem:
    """The same problem with its path as this caller spells the root."""
    inside = problem.path.removeprefix(f"{first_root}/")
    return problem if inside == problem.path else dataclasses.replace(problem, path=str(root / inside))


def _pack(corpus: Corpus) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """All tracks' arrays of one kind end to end, and per track where its own begin."""
    parts: dict[str, list[np.ndarray]] = {}
    lengths: dict[str, int] = {}
    tracks = []

    def append(key: str, values: np.ndarray) -> list[int]:
        start = lengths.get(key, 0)
        parts.setdefault(key, []).append(values)
        lengths[key] = start + len(values)
        return [start, lengths[key]]

    for track in corpus.tracks.values():
        facts = dataclasses.asdict(track.facts) if track.facts else None
        if facts and facts["times_s"] is not None:
            facts["times_s"] = append("times_s", track.facts.times_s)
        labels = [
            [
                task,
                edition,
                {part: append(f"{task}.{edition}.{part}", values) for part, values in found.items()},
            ]
            for (task, edition), found in track.labels.items()
        ]
        images = {
            kind: [track.image_folders[kind], append(f"images.{kind}", mask)]
            for kind, mask in track.images.items()
        }
        tracks.append(
            {"name": track.name, "rows": track.rows, "labels": labels, "images": images, "facts": facts,
             "video_path": track.video_path, "sound_path": track.sound_path}
        )  # fmt: skip
    return {key: np.concatenate(values) for key, values in parts.items()}, tracks


def _unpack(tracks: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> dict[str, Track]:
    """Tracks as views into the arrays."""

    def view(key: str, span: list[int]) -> np.ndarray:
        return arrays[key][span[0] : span[1]]

    unpacked = {}
    for entry in tracks:
        facts = entry["facts"]
        if facts and facts["times_s"] is not None:
            facts["times_s"] = view("times_s", facts["times_s"])
        unpacked[entry["name"]] = Track(
            entry["name"],
            entry["rows"],
            {
                (task, edition): {
                    part: view(f"{task}.{edition}.{part}", span) for part, span in found.items()
                }
                for task, edition, found in entry["labels"]
            },
            {kind: view(f"images.{kind}", span) for kind, (_, span) in entry["images"].items()},
            {kind: folder for kind, (folder, _) in entry["images"].items()},
            entry["video_path"],
            entry["sound_path"],
            VideoFacts(**facts) if facts else None,
        )
    return unpacked
