import os
import subprocess
import sys
import threading
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

from gan_keras.data import photos
from gan_keras.data.degradations import build_degradation
from gan_keras.data.photos import FolderPairs, Photographs, PhotoPairs, fingerprint, photo_paths
from gan_keras.data.ranges import to_uint8
from gan_keras.errors import UserError

NOISE = build_degradation({"name": "gaussian_noise", "sigma": 25})


def identity(image, generator):
    return image


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def random_photo(seed, height=40, width=50):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1500])
    return path


@pytest.fixture
def folder(tmp_path):
    for i in range(12):
        save(tmp_path / "photos" / ("a" if i % 2 else "b") / f"{i}.png", random_photo(i))
    return tmp_path / "photos"


def test_embedded_photographs_are_there_and_the_splits_apart():
    train, test = photo_paths(), photo_paths("photos", "test")
    names = ["astronaut", "chelsea", "flower", "grace_hopper", "motorcycle_left", "rocket"]
    assert sorted(path.stem for path in train) == names
    assert sorted(path.stem for path in test) == ["china", "coffee"]
    assert train == sorted(train)
    assert [photo.shape[-1] for photo in map(Photographs(train).__getitem__, range(6))] == [3] * 6


def test_a_folder_is_searched_through_for_images_only(folder):
    (folder / "notes.txt").write_text("no image")
    save(folder / "deep" / "er" / "x.JPG", random_photo(99))
    every = photo_paths(folder) + photo_paths(folder, "test")
    assert len(every) == 13
    assert folder / "deep" / "er" / "x.JPG" in every
    assert photo_paths(folder) == sorted(photo_paths(folder))


def test_the_test_split_is_a_stable_tenth(folder, tmp_path):
    train, test = photo_paths(folder), photo_paths(folder, "test")
    assert (len(train), len(test)) == (11, 1)
    assert not set(train) & set(test)
    moved = folder.rename(tmp_path / "elsewhere")  # relative names count, not where they are
    assert [p.relative_to(moved) for p in photo_paths(moved, "test")] == [
        p.relative_to(folder) for p in test
    ]
    for i in range(30):
        save(moved / f"{i}.png", random_photo(i, 2, 2))
    assert len(photo_paths(moved, "test")) == 4  # of 42


def test_small_folders_and_single_files(tmp_path):
    only = save(tmp_path / "one" / "a.png", random_photo(0))
    assert photo_paths(tmp_path / "one") == [only]
    with pytest.raises(UserError, match="one image alone"):
        photo_paths(tmp_path / "one", "test")
    assert photo_paths(only, "test") == photo_paths(str(only)) == [only]
    save(tmp_path / "one" / "b.png", random_photo(1))
    assert len(photo_paths(tmp_path / "one", "test")) == 1


def test_where_there_is_nothing_the_error_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        photo_paths(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no images; put some"):
        photo_paths(tmp_path)
    with pytest.raises(UserError, match="no split 'dev': use train or test"):
        photo_paths("photos", "dev")


def test_fingerprint_sees_names_and_bytes(folder):
    paths = photo_paths(folder)
    before = fingerprint(paths)
    assert before == fingerprint(list(map(str, paths)))
    assert len(before) == 16
    assert fingerprint(paths[:-1]) != before
    data = bytearray(paths[3].read_bytes())
    data[-1] ^= 1
    paths[3].write_bytes(data)
    changed = fingerprint(paths)
    assert changed != before
    big = folder / "big.bmp"
    for last in (b"a", b"b"):
        big.write_bytes(bytes(200_000) + last)
        paths.append(fingerprint([big]))
    assert paths.pop() != paths.pop()
    paths[3] = paths[3].rename(paths[3].with_name("renamed.png"))
    assert fingerprint(paths) != changed


def test_photographs_are_8_bit_rgb(tmp_path):
    grey, deep = random_photo(0)[..., 0], np.full((4, 5), 65535 // 2, np.uint16)
    clear = np.dstack([random_photo(1), random_photo(2)[..., 0]])
    Image.fromarray(deep).save(tmp_path / "c.png")
    paths = [save(tmp_path / "a.png", grey), save(tmp_path / "b.png", clear), tmp_path / "c.png"]
    photographs = Photographs(paths)
    np.testing.assert_array_equal(photographs[0], np.repeat(grey[..., None], 3, -1))
    np.testing.assert_array_equal(photographs[1], clear[..., :3])
    assert photographs[2].shape == (4, 5, 3)
    assert (photographs[2] == 127).all()  # 32767 / 257 = 127.5 less a little
    assert {photographs[i].dtype for i in range(3)} == {np.dtype(np.uint8)}
    with pytest.raises(IndexError):
        photographs[3]


def test_the_cache_holds_no_more_than_its_bytes(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{i}.png", random_photo(i)) for i in range(3)]
    decoded = []
    read = photos.read_image
    monkeypatch.setattr(photos, "read_image", lambda p: decoded.append(p.stem) or read(p))
    photographs = Photographs(paths, cache_bytes=2 * 40 * 50 * 3)
    for index in (0, 1, 0, 2, 0, 1):  # 2 pushes out 1, the least recently used
        np.testing.assert_array_equal(photographs[index], random_photo(index))
    assert decoded == ["0", "1", "2", "1"]
    photographs = Photographs(paths, cache_bytes=0)
    for _ in range(2):
        np.testing.assert_array_equal(photographs[0], random_photo(0))
    assert decoded[4:] == ["0", "0"]


def test_threads_see_the_same_photographs(tmp_path):
    paths = [save(tmp_path / f"{i}.png", random_photo(i)) for i in range(6)]
    photographs, wrong = Photographs(paths, cache_bytes=3 * 6000), []

    def work(seed):
        for index in np.random.default_rng(seed).integers(6, size=60):
            if not np.array_equal(photographs[int(index)], random_photo(int(index))):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert photographs._used == sum(pixels.nbytes for pixels in photographs._cache.values())
    assert photographs._used <= 3 * 6000


def test_unreadable_files_are_skipped_and_named(tmp_path):
    good = save(tmp_path / "good.png", random_photo(0))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"skipped 2 unreadable.*text\.png.*empty\.jpg") as caught:
        photographs = Photographs([tmp_path / "text.png", good, tmp_path / "empty.jpg"])
    assert len(caught) == 1
    assert photographs.paths == [good]
    assert set(photographs.skipped) == {tmp_path / "text.png", tmp_path / "empty.jpg"}
    with pytest.raises(UserError, match=r"no readable photograph among 1 files: .*text\.png"):
        Photographs([tmp_path / "text.png"])
    with pytest.raises(UserError, match="no files given"):
        Photographs([])


def test_a_truncated_file_is_replaced_by_the_next_whatever_the_order(tmp_path):
    paths = [save(tmp_path / f"{i}.png", random_photo(i)) for i in range(4)]
    truncate(paths[1])
    truncate(paths[2])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 1, 2, 2]):
        photographs = Photographs(paths)
        assert not photographs.skipped  # the headers are fine
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for index in order:
                expected = 3 if index in (1, 2) else index
                np.testing.assert_array_equal(photographs[index], random_photo(expected))
        assert len(caught) == 2  # once a file
        assert set(photographs.skipped) == set(paths[1:3])
    truncate(paths[0])
    truncate(paths[3])
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(UserError, match="no readable photograph among 4 files"),
    ):
        Photographs(paths)[0]


def test_batches_are_a_pure_function_of_seed_epoch_and_index(folder):
    photographs = Photographs(photo_paths(folder))

    def batch(index, seed=0, epoch=0):
        pairs = PhotoPairs(photographs, NOISE, crop=16, batch_size=3, steps_per_epoch=5, seed=seed)
        pairs.epoch = epoch
        for other in np.random.default_rng().integers(5, size=2):
            pairs[int(other)]  # what was read before does not matter
        return pairs[index]

    degraded, target = batch(2)
    assert degraded.shape == target.shape == (3, 16, 16, 3)
    assert degraded.dtype == target.dtype == np.float32
    np.testing.assert_array_equal(batch(2)[0], degraded)
    np.testing.assert_array_equal(batch(2)[1], target)
    for other in (batch(3), batch(2, seed=1), batch(2, epoch=1)):
        assert (other[1] != target).any()
        assert ((other[0] - other[1]) != (degraded - target)).mean() > 0.9  # fresh noise
    np.testing.assert_allclose(np.std(degraded - target), 25 * 2 / 255, rtol=0.1)


def test_crops_are_windows_of_the_photographs(folder):
    photographs = Photographs(photo_paths(folder))
    pairs = PhotoPairs(photographs, identity, crop=8, batch_size=32, augment=False)
    degraded, target = pairs[0]
    np.testing.assert_array_equal(degraded, target)
    windows = {
        photo[top : top + 8, left : left + 8].tobytes()
        for photo in map(photographs.__getitem__, range(len(photographs)))
        for top in range(33)
        for left in range(43)
    }
    assert all(crop.tobytes() in windows for crop in to_uint8(target))


def test_every_photograph_and_every_corner_is_drawn_alike(tmp_path):
    paths = [save(tmp_path / "a.png", np.full((200, 300, 3), 0)), tmp_path / "b.png"]
    save(paths[1], np.arange(10)[:, None, None] * 20 + np.zeros((10, 10, 3)) + 20)
    pairs = PhotoPairs(Photographs(paths), identity, crop=8, batch_size=600, augment=False)
    first = to_uint8(pairs[0][1])[:, 0, 0, 0]
    assert (first == 0).mean() == pytest.approx(0.5, abs=0.08)  # sizes do not matter
    rows, counts = np.unique(first[first > 0], return_counts=True)
    assert list(rows) == [20, 40, 60]  # 10 - 8 + 1 windows, the last one included
    assert counts.min() > 0.7 * counts.mean()


def test_augmentation_gives_the_eight_symmetries(tmp_path):
    photo = random_photo(0, 8, 8)
    pairs = PhotoPairs(
        Photographs([save(tmp_path / "a.png", photo)]), identity, crop=8, batch_size=200
    )
    eight = {np.rot90(p, k).tobytes() for p in (photo, photo[:, ::-1]) for k in range(4)}
    assert {crop.tobytes() for crop in to_uint8(pairs[0][1])} == eight


def test_colours_vary_in_half_of_the_crops(folder):
    photographs = Photographs(photo_paths(folder))
    settings = {"crop": 8, "batch_size": 200, "augment": "colours"}
    degraded, target = PhotoPairs(photographs, identity, **settings)[0]
    np.testing.assert_array_equal(degraded, target)  # the target's colours vary too
    grey = np.ptp(target, axis=-1).max(axis=(1, 2)) < 1e-5
    assert 0.02 < grey.mean() < 0.15  # 15 of 100 of every other one
    assert not np.ptp(PhotoPairs(photographs, identity, crop=8)[0][1], axis=-1).max() < 1e-5
    plain = PhotoPairs(photographs, identity, crop=8, batch_size=200)[0][1]
    deepest = [np.abs(images - images.mean(-1, keepdims=True)).mean() for images in (target, plain)]
    assert deepest[0] > 1.02 * deepest[1]


@pytest.mark.parametrize("augment", [False, True])
def test_a_margin_is_degraded_with_the_crop_and_cut_off(folder, augment):
    """A blur then sees what lies beyond the crop: the core of a larger crop's result."""
    photographs = Photographs(photo_paths(folder))
    blur = build_degradation({"name": "gaussian_blur", "sigma": 1})
    settings = {"batch_size": 4, "seed": 3, "augment": augment}
    with_margin = PhotoPairs(photographs, blur, crop=8, margin=4, **settings)[0]
    larger = PhotoPairs(photographs, blur, crop=16, **settings)[0]
    for few, many in zip(with_margin, larger, strict=True):
        assert few.shape == (4, 8, 8, 3)
        np.testing.assert_array_equal(few, many[:, 4:-4, 4:-4])


def test_small_photographs_are_reflected(tmp_path):
    row = np.repeat(np.uint8([10, 20, 30])[None, :, None], 3, -1)
    one = np.full((1, 1, 3), 77)
    paths = [save(tmp_path / "a.png", row), save(tmp_path / "b.png", one)]
    for path, expected in zip(paths, ([10, 20, 30, 20, 10, 20, 30], [77] * 7), strict=True):
        pairs = PhotoPairs(Photographs([path]), identity, crop=7, batch_size=1, augment=False)
        target = to_uint8(pairs[0][1])
        assert target.shape == (1, 7, 7, 3)
        assert (target == np.array(expected)[None, None, :, None]).all()


def test_the_degraded_may_be_smaller(folder):
    shrink = build_degradation({"name": "downsample", "factor": 4})
    degraded, target = PhotoPairs(Photographs(photo_paths(folder)), shrink, crop=16, batch_size=2)[
        0
    ]
    assert degraded.shape == (2, 4, 4, 3)
    assert target.shape == (2, 16, 16, 3)


@pytest.mark.parametrize("workers", [1, 2])
def test_fit_moves_on_one_epoch_at_a_time(folder, workers):
    seen = []

    class Spy(PhotoPairs):
        def __getitem__(self, index):
            seen.append((self.epoch, index))
            return super().__getitem__(index)

    pairs = Spy(Photographs(photo_paths(folder)), NOISE, 8, 2, steps_per_epoch=3, workers=workers)
    model = keras.Sequential([keras.layers.Conv2D(3, 1)])
    model.compile("sgd", "mse")
    validation = PhotoPairs(Photographs(photo_paths(folder)), NOISE, 8, 2, steps_per_epoch=1)
    model.fit(pairs, epochs=2, validation_data=validation, shuffle=False, verbose=0)
    assert pairs.epoch == 2
    assert {(epoch, index) for epoch in range(2) for index in range(3)} <= set(seen)
    model.fit(pairs, epochs=3, initial_epoch=2, shuffle=False, verbose=0)
    assert pairs.epoch == 3
    assert {(2, index) for index in range(3)} <= set(seen)
    assert max(seen) == (2, 2)


def pair_folder(root, count=12):
    for i in range(count):
        photo = random_photo(i)
        save(root / "input" / "sub" / f"{i}.png", 255 - photo)
        save(root / "target" / "sub" / f"{i}.png", photo)
    return root


def test_folder_pairs_stay_aligned_through_crop_and_turns(tmp_path):
    pairs = FolderPairs(pair_folder(tmp_path), crop=16, batch_size=40, seed=3)
    degraded, target = pairs[0]
    assert degraded.dtype == np.float32
    np.testing.assert_array_equal(to_uint8(degraded), 255 - to_uint8(target))
    np.testing.assert_array_equal(pairs[0][0], degraded)
    pairs.epoch = 1
    assert (pairs[0][0] != degraded).any()


def test_folder_pairs_have_the_splits_of_photo_paths(tmp_path):
    root = pair_folder(tmp_path)
    folder_pairs = FolderPairs(root, split="test")
    test = folder_pairs.pairs
    assert folder_pairs.paths == [path for pair in test for path in pair]
    assert [pair[0] for pair in test] == photo_paths(root / "input", "test")
    assert [pair[1] for pair in test] == photo_paths(root / "target", "test")
    assert not set(test) & set(FolderPairs(root).pairs)


def test_pairs_may_differ_in_suffix(tmp_path):
    root = pair_folder(tmp_path, 2)
    source = root / "input" / "sub" / "0.png"
    save(source.with_suffix(".jpg"), random_photo(0))
    source.unlink()
    pairs = FolderPairs(root).pairs + FolderPairs(root, "test").pairs
    assert (source.with_suffix(".jpg"), root / "target" / "sub" / "0.png") in pairs


def test_bad_pairs_are_named(tmp_path):
    root = pair_folder(tmp_path)
    lone = save(root / "target" / "lone.png", random_photo(0))
    with pytest.raises(UserError, match=r"lone\.png: has no partner"):
        FolderPairs(root)
    lone.unlink()
    both = [save(root / "input" / "x.png", random_photo(0, 9, 9))]
    both += [save(root / "target" / "x.png", random_photo(0, 9, 8))]
    with pytest.raises(UserError, match=r"x\.png: size \(9, 9\) is not its target's \(9, 8\)"):
        FolderPairs(root, "train"), FolderPairs(root, "test")
    both[1].write_text("no image")
    with pytest.raises(UserError, match=r"x\.png: .*not an image"):
        FolderPairs(root, "train"), FolderPairs(root, "test")
    with pytest.raises(UserError, match=r"target: no such folder"):
        (root / "target").rename(tmp_path / "t")
        FolderPairs(root)


def test_photographs_need_no_tensorflow():
    program = (
        "import sys; from gan_keras.data.photos import *; "
        "pairs = PhotoPairs(Photographs(photo_paths('photos', 'test')), lambda x, g: x); "
        "assert pairs[0][0].shape == (16, 64, 64, 3); assert 'tensorflow' not in sys.modules"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
