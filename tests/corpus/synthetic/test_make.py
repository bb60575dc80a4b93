"""Files that are the same on every run, where they belong, and nobody else's."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from abaw_jax.corpus.containers import probe
from abaw_jax.corpus.image_lists import read_lsd_list
from abaw_jax.corpus.synthetic.cast import SIZES, Size, cast
from abaw_jax.corpus.synthetic.make import Plan, make
from abaw_jax.corpus.synthetic.preview import most_telling
from abaw_jax.corpus.synthetic.stills import make_stills
from abaw_jax.labels import LSD_FOLDERS

SIZE = Size(train=2, validation=1, test=1, seconds=1.0, fps=12.0)


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_plan_writes_the_same_bytes_on_any_number_of_processes(tmp_path: Path):
    for name, workers in (("one", 1), ("two", 2)):
        make(Plan(tmp_path / name, SIZE, seed=7, with_videos=True), workers=workers)
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one == two
    assert {Path(name).suffix for name in one} == {".jpg", ".wav", ".mp4", ".txt", ".json"}


def test_another_seed_writes_other_faces_and_labels(tmp_path: Path):
    for seed in (0, 1):
        make(Plan(tmp_path / str(seed), SIZE, seed=seed), workers=1)
    zero, one = digests(tmp_path / "0"), digests(tmp_path / "1")
    shared = {name for name in zero.keys() & one.keys() if zero[name] == one[name]}
    assert not {name for name in shared if name.endswith((".jpg", ".wav"))}


def test_a_finished_corpus_is_left_alone_and_a_begun_one_is_made_again(tmp_path: Path):
    plan = Plan(tmp_path / "root", SIZE)
    make(plan, workers=1)
    first = digests(plan.root)
    image = next(plan.root.rglob("*.jpg"))
    image.unlink()
    make(plan, workers=1)
    assert not image.exists()
    record = json.loads((plan.root / "synthetic.json").read_text())
    (plan.root / "synthetic.json").write_text(json.dumps({"plan": record["plan"]}))
    make(plan, workers=1)
    assert digests(plan.root) == first


def test_another_plan_in_the_same_folder_is_refused_by_name(tmp_path: Path):
    make(Plan(tmp_path / "root", SIZE, with_crops=False, with_sounds=False), workers=1)
    with pytest.raises(
        FileExistsError, match=r"root holds another synthetic corpus: found .*'seed': 0.*expected .*'seed': 1"
    ):
        make(Plan(tmp_path / "root", SIZE, seed=1, with_crops=False, with_sounds=False), workers=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "huge"}, "no size 'huge'; expected one of: tiny, demo, evidence"),
        ({"edition": 12}, "no layout of edition 12; expected one of: 1, 2"),
    ],
)
def test_unknown_names_are_refused_with_those_there_are(arguments: dict, message: str, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        Plan(tmp_path, **arguments)


def test_media_are_what_the_organisers_distribute(tmp_path: Path):
    make(Plan(tmp_path / "root", SIZE, with_videos=True), workers=1)
    with Image.open(next((tmp_path / "root" / "cropped_aligned" / "video1").glob("*.jpg"))) as image:
        assert (image.size, image.mode) == ((112, 112), "RGB")
    sounds = [soundfile.read(tmp_path / "root" / "sounds" / f"video{i}.wav") for i in (1, 2, 3, 4)]
    assert {(rate, sound.shape) for sound, rate in sounds} == {(16000, (16000,))}
    assert 0.05 < max(np.abs(sound).max() for sound, _ in sounds) < 1
    facts = probe(tmp_path / "root" / "videos" / "batch1" / "video1.mp4")
    assert (facts.fps, facts.frames) == (12, 12)
    assert facts.audio_duration_s == pytest.approx(1.0, abs=0.1)


def test_without_videos_a_table_of_rates_stands_for_them(tmp_path: Path):
    make(Plan(tmp_path / "root", SIZE, with_crops=False, with_sounds=False), workers=1)
    assert not (tmp_path / "root" / "videos").exists()
    assert (tmp_path / "root" / "video_facts.csv").read_text().split("\n")[:2] == [
        "stem,fps,frames,duration_s",
        "video1,12.0,12,1.0",
    ]


def test_tiny_has_the_odd_sounds_and_images(tiny_root: Path):
    rates = {name: soundfile.info(tiny_root / "sounds" / f"{name}.wav").duration for name in ("493", "86")}
    assert rates["493"] == pytest.approx(73 / 6 - 5, abs=0.01)
    assert rates["86"] == pytest.approx(6 + 2, abs=0.01)
    assert not (tiny_root / "sounds" / "451.wav").exists()
    assert probe(tiny_root / "videos" / "batch3" / "451.avi").audio_duration_s is None
    assert (tiny_root / "cropped_aligned" / "7-60-640x360" / ".DS_Store").exists()
    broken = next((tiny_root / "cropped_aligned" / "7-60-640x360").glob("0001*.jpg"))
    with Image.open(broken) as image, pytest.raises(OSError, match="truncated"):
        image.load()


def test_stills_have_the_lsd_layout_and_a_shift(tmp_path: Path):
    make_stills(tmp_path, per_class=8, seed=0)
    train = sorted(path.parent.name for path in (tmp_path / "training_set_synthetic_images").rglob("*.jpg"))
    assert train == sorted(LSD_FOLDERS * 8)
    assert len(list((tmp_path / "validation_set_real_images").rglob("*.jpg"))) == 12
    stills = read_lsd_list(tmp_path / "LSD_Challenge_test_set_release.txt")
    assert stills.images == tuple(f"{i}.jpg" for i in range(12))
    assert all((tmp_path / "test_set_images" / name).exists() for name in stills.images)

    def sharpness(folder: str) -> float:
        images = [
            np.asarray(Image.open(path).convert("L"), float) for path in (tmp_path / folder).rglob("*.jpg")
        ]
        return float(np.mean([np.abs(np.diff(image)).mean() for image in images]))

    assert sharpness("training_set_synthetic_images") != pytest.approx(
        sharpness("validation_set_real_images"), rel=0.03
    )


def test_the_previewed_track_shows_its_face_and_its_voice():
    affect = most_telling(cast(SIZES["demo"], seed=0)).affect()
    assert affect.is_visible.mean() > 0.8
    assert affect.is_heard.mean() > 0.6
