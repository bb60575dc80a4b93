"""The job over a corpus with every odd case: rows in are rows out, once, and nothing is made for nothing."""

import collections
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.tracks import Corpus
from abaw_jax.defaults import audio_stream, face_stream
from abaw_jax.encoders.hearing import cut, native_chunks
from abaw_jax.encoders.load import load
from abaw_jax.extract import pixels
from abaw_jax.extract.job import make_job
from abaw_jax.media.audio import read
from abaw_jax.media.images import read_image
from abaw_jax.store.features import Features, StaleFeatures, Store

BROKEN_TRACK, BROKEN_ROW = "7-60-640x360", 16


def run(corpus: Corpus, config, names: tuple[str, ...] = ()):
    config.extract.tracks = names
    job = make_job(corpus, config)
    return job, job.run()


def stream(job, name: str) -> Features:
    return next(s.features for s in job.streams if s.name == name)


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a store, with its number on disk: one written again has another."""
    return {
        str(p.relative_to(root)): (p.stat().st_ino, p.read_bytes()) for p in root.rglob("*") if p.is_file()
    }


@pytest.fixture
def copy(tiny_root: Path, tmp_path: Path):
    """A corpus of one's own, to be changed, of a few tracks."""
    root = tmp_path / "corpus"
    shutil.copytree(tiny_root, root)

    def reopen() -> Corpus:
        return open_corpus(root, cache_dir=tmp_path / "cache")

    return root, reopen


def test_rows_in_are_rows_out_and_masked_where_there_is_no_face(tiny: Corpus, config):
    job, summary = run(tiny, config)
    for track in tiny.tracks.values():
        found = stream(job, "video").read(track.name)
        expected = track.has_image()
        if track.name == BROKEN_TRACK:
            expected = expected & (np.arange(1, track.rows + 1) != BROKEN_ROW)
        assert len(found) == len(stream(job, "audio").read(track.name)) == track.rows
        np.testing.assert_array_equal(found.present, expected, track.name)
    assert summary.by_kind() == {"unreadable image": 1, "no sound": 1}
    assert summary.made == {"video": len(tiny.tracks), "audio": len(tiny.tracks)}
    notes = stream(job, "video").read(BROKEN_TRACK).manifest["skipped"]
    assert len(notes) == 1 and notes[0].startswith(
        "00016.jpg: unreadable image: found 'image file is truncated"
    )


def test_each_face_gets_the_vector_of_its_own_crop_whatever_it_was_batched_with(tiny: Corpus, config):
    job, _ = run(tiny, config)
    encoder = load(config.video.encoder)
    apply = jax.jit(encoder.apply)
    for name, row in (("102", 7), ("video2_left", None), ("5-60-640x360-1", 301), ("86", 144)):
        track = tiny.tracks[name]
        row = row or int(np.flatnonzero(track.has_image())[-1]) + 1
        if not track.has_image()[row - 1]:
            row = int(np.flatnonzero(track.has_image())[-1]) + 1
        image = read_image(tiny.root / track.image_folders["cropped_aligned"] / f"{row:05d}.jpg")
        alone = apply(encoder.variables, jnp.asarray(encoder.preprocess(image)[None]))[0]
        stored = stream(job, "video").read(name).values[row - 1]
        np.testing.assert_allclose(stored, alone, atol=2e-3, rtol=2e-3)


def test_sound_on_its_own_clock_is_that_of_the_whole_file(tiny: Corpus, config):
    config.streams = ("audio",)
    config.audio.align = "native"
    job, _ = run(tiny, config)
    encoder = load(config.audio.encoder)
    sound = read(tiny.root / tiny.tracks["86"].sound_path, lambda problem: None).samples
    chunks = native_chunks(encoder.hearing, len(sound))
    parts = []
    for start, keep in zip(chunks.starts.tolist(), chunks.keep, strict=True):
        x = encoder.preprocess(cut(sound, start, encoder.hearing.chunk))
        parts.append(np.asarray(encoder.apply(encoder.variables, jnp.asarray(x[None])))[0, keep])
    found = stream(job, "audio").read("86")
    assert len(found) == chunks.count == -(-len(sound) // 320)
    np.testing.assert_allclose(found.values, np.concatenate(parts), atol=5e-3, rtol=2e-3)
    assert stream(job, "audio").spec.grid.rate_hz == 50.0
    assert len(stream(job, "audio").read("451")) == 0  # no sound: no vectors, and no error


def test_sound_on_rows_is_the_mean_around_each_rows_time(tiny: Corpus, config):
    config.streams = ("audio",)
    on_rows, _ = run(tiny, config, ("86", "493", "451"))
    config.audio.align = "native"
    native, _ = run(tiny, config, ("86", "493", "451"))
    track = tiny.tracks["86"]
    vectors = stream(native, "audio").read("86").values.astype(np.float64)
    place = np.arange(len(vectors)) / 50
    found = stream(on_rows, "audio").read("86")
    for row in (0, 50, 143):
        inside = np.abs(place - track.times_s[row]) <= 0.5 + 1e-9
        np.testing.assert_allclose(found.values[row], vectors[inside].mean(axis=0), atol=5e-3)
    assert found.present.all()
    short = stream(on_rows, "audio").read("493")  # its sound ends five seconds before its rows
    ends = len(stream(native, "audio").read("493")) / 50
    heard = tiny.tracks["493"].times_s - 0.5 <= ends
    assert abs(int(short.present.sum()) - int(heard.sum())) <= 1 and not short.present[-20:].any()
    assert not stream(on_rows, "audio").read("451").present.any()


def test_both_subjects_of_a_video_share_its_sound(tiny: Corpus, config):
    config.streams = ("audio",)
    job, _ = run(tiny, config, ("video10_1_left", "video10_1_right"))
    left, right = (stream(job, "audio").read(f"video10_1_{side}") for side in ("left", "right"))
    assert left.present.any()
    np.testing.assert_array_equal(left.values, right.values)


def test_one_chunk_a_row_ends_there_when_only_the_past_may_be_heard(tiny: Corpus, config):
    config.streams = ("audio",)
    config.audio.update({"align": "chunk", "is_causal": True, "chunk_s": 1.0})
    job, _ = run(tiny, config, ("86",))
    encoder = load(config.audio.encoder, is_causal=True, chunk_s=1.0)
    sound = read(tiny.root / tiny.tracks["86"].sound_path, lambda problem: None).samples
    end = round(float(tiny.tracks["86"].times_s[100]) * 16_000)
    x = encoder.preprocess(cut(sound, end - encoder.hearing.chunk, encoder.hearing.chunk))
    alone = np.asarray(encoder.apply(encoder.variables, jnp.asarray(x[None])))[0, 0]
    np.testing.assert_allclose(stream(job, "audio").read("86").values[100], alone, atol=5e-3, rtol=2e-3)


def test_several_encoders_share_one_pass_over_the_pixels(tiny: Corpus, config, encoders, monkeypatch):
    config.mouth = face_stream(str(encoders["clip"]))
    config.mouth.region = "mouth"
    config.grid = face_stream(str(encoders["other-clip"]))
    config.grid.update({"view": "grid", "sample_hz": 4.0})
    config.streams = ("video", "mouth", "grid")
    counts: collections.Counter = collections.Counter()

    def counted(path: Path):
        counts[path] += 1
        return read_image(path)

    monkeypatch.setattr(pixels, "read_image", counted)
    together, _ = run(tiny, config, ("86", "102"))
    assert set(counts.values()) == {1}
    assert len({s.features.path for s in together.streams}) == 3
    grid = stream(together, "grid").read("86")
    assert grid.values.shape == (24, 3, 3, 16)  # six seconds at four a second
    for name in config.streams:
        before = {track: stream(together, name).read(track).values.copy() for track in ("86", "102")}
        shutil.rmtree(stream(together, name).path)
        config.streams = (name,)
        alone, _ = run(tiny, config, ("86", "102"))
        for track, values in before.items():
            np.testing.assert_array_equal(stream(alone, name).read(track).values, values)


def test_a_second_run_makes_nothing(tiny: Corpus, config):
    run(tiny, config)
    before = files(Path(config.store.root))
    _, summary = run(tiny, config)
    assert set(summary.made.values()) == {0} and set(summary.kept.values()) == {len(tiny.tracks)}
    assert files(Path(config.store.root)) == before


def test_changed_crops_are_noticed_and_only_their_track_is_made_again(copy, config):
    root, reopen = copy
    config.streams = ("video",)
    names = ("86", "102", "493")
    job, _ = run(reopen(), config, names)
    before = files(Path(config.store.root))
    images = sorted((root / "cropped_aligned" / "102").glob("*.jpg"))
    Image.new("RGB", (112, 112), (9, 80, 200)).save(images[5])
    with pytest.raises(StaleFeatures, match=r"102.*made from something else: content: found .*, expected"):
        made_from = stream(job, "video").manifest("102")["made_from"] | {"content": "0" * 64}
        stream(job, "video").read("102", made_from)
    job, summary = run(reopen(), config, names)
    assert summary.made == {"video": 1}
    assert list(job.plan.stale) == ["video/102"] and "content: found" in job.plan.stale["video/102"]
    after = files(Path(config.store.root))
    assert {name for name in after if after[name] != before[name]} == {
        f"{stream(job, 'video').path.name}/102.{end}" for end in ("npy", "json")
    }


def test_crops_that_are_only_copied_anew_are_kept(copy, config):
    root, reopen = copy
    config.streams = ("video",)
    job, _ = run(reopen(), config, ("102",))
    vectors = (stream(job, "video").path / "102.npy").stat().st_ino
    for image in (root / "cropped_aligned" / "102").glob("*.jpg"):
        data = image.read_bytes()
        image.unlink()
        image.write_bytes(data)
    job, summary = run(reopen(), config, ("102",))
    assert summary.made == {"video": 0}
    assert (stream(job, "video").path / "102.npy").stat().st_ino == vectors


def test_other_weights_go_into_another_folder_and_reading_for_them_says_what_differs(tiny, config, encoders):
    config.streams = ("video",)
    first, _ = run(tiny, config, ("86",))
    config.video.encoder = str(encoders["other-clip"])
    job = make_job(tiny, config)
    shutil.rmtree(job.streams[0].features.path)
    with pytest.raises(StaleFeatures, match=r"identity\.weights: found [0-9a-f]{16}…"):
        Store(config.store.root).open(job.streams[0].spec)
    second, _ = run(tiny, config, ("86",))
    assert stream(first, "video").path != stream(second, "video").path
    assert not np.array_equal(
        stream(first, "video").read("86").values, stream(second, "video").read("86").values
    )


@pytest.mark.parametrize("change", ["pixels", "region", "images"])
def test_other_preprocessing_is_other_features(change: str, tiny: Corpus, config, encoders, tmp_path: Path):
    config.streams = ("video",)
    plain = make_job(tiny, config).streams[0].spec
    if change == "pixels":
        folder = tmp_path / "clip"
        shutil.copytree(encoders["clip"], folder)
        (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3]}')
        config.video.encoder = str(folder)
    elif change == "region":
        config.video.region = "brows"
    else:
        config.extract.images = "cropped_aligned"
    other = make_job(tiny, config).streams[0].spec
    assert other.fingerprint != plain.fingerprint


def test_missing_media_mask_rows_and_stop_nobody(copy, config):
    root, reopen = copy
    shutil.rmtree(root / "cropped_aligned" / "86")
    (root / "cropped_aligned" / "102" / "00003.jpg").write_bytes(b"")
    (root / "sounds" / "102.wav").write_bytes(b"RIFF nonsense")
    job, summary = run(reopen(), config, ("86", "102", "493"))
    assert not stream(job, "video").read("86").present.any()
    assert not stream(job, "video").read("102").present[2]
    assert len(stream(job, "audio").read("102")) == 120
    assert summary.by_kind()["empty image"] == 1
    assert any("102" in problem.path for problem in summary.problems)


def test_a_track_of_no_rows_is_no_error(tiny: Corpus, config):
    import dataclasses

    none = dataclasses.replace(tiny.tracks["86"], rows=0, images={}, image_folders={}, labels={})
    corpus = dataclasses.replace(tiny, tracks={"86": none})
    job, _ = run(corpus, config)
    assert len(stream(job, "video").read("86")) == len(stream(job, "audio").read("86")) == 0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("extract.tracks", ("nobody",), "has no track 'nobody'"),
        ("extract.source", "dreams", "found 'dreams', expected crops or videos"),
        ("streams", ("video", "smell"), "streams names 'smell'"),
        ("audio.align", "left", "audio.align: found 'left', expected one of: native, mean, chunk"),
        ("video.view", "soul", "clip has no view 'soul'; expected one of: image, pooled, grid"),
        ("video.region", "ear", "no region 'ear' of a face; expected one of: whole, brows"),
        ("store.dtype", "float8", "no dtype 'float8' for features; expected one of: float16"),
        ("extract.dtype", "float8", "no dtype 'float8'"),
        ("extract.detector", "eyes", "extract"),
    ],
)
def test_what_a_config_gets_wrong_is_said_with_what_there_is(path: str, value, message: str, tiny, config):
    with config.unlocked():
        config.update_from_flattened_dict({path: value})
    if path == "extract.detector":
        config.extract.source, message = "videos", "no face detector 'eyes'; there are mtcnn"
    with pytest.raises((ValueError, KeyError), match=message):
        make_job(tiny, config)


def test_audio_encoders_are_not_asked_to_see(tiny: Corpus, config, encoders):
    config.video.encoder = str(encoders["whisper"])
    with pytest.raises(ValueError, match=r"expected an encoder of faces"):
        make_job(tiny, config)
    config.streams = ("voice",)
    config.voice = audio_stream(str(encoders["clip"]))
    with pytest.raises(ValueError, match=r"voice.encoder: .* expected an encoder of sound"):
        make_job(tiny, config)


def test_a_job_that_breaks_leaves_whole_tracks_and_nothing_half_made(tiny: Corpus, config, monkeypatch):
    config.streams = ("video",)
    config.extract.tracks = ("102", "86", "493")
    job = make_job(tiny, config)
    seen = 0

    def breaks(path: Path):
        nonlocal seen
        seen += 1
        if seen > 200:
            raise MemoryError("the machine gave in")
        return read_image(path)

    monkeypatch.setattr(pixels, "read_image", breaks)
    with pytest.raises(MemoryError):
        job.run()
    features = stream(job, "video")
    assert 1 <= len(features.tracks()) < 3
    assert not [path for path in features.path.iterdir() if path.name.endswith(".tmp")]
    monkeypatch.setattr(pixels, "read_image", read_image)
    _, summary = run(tiny, config, ("102", "86", "493"))
    assert summary.made["video"] + summary.kept["video"] == 3 and summary.kept["video"] >= 1
