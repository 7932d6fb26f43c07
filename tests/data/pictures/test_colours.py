from pathlib import Path

import numpy as np
import pytest
from mask_files import VOC, as_file, indexed, read_masks, scenes
from PIL import Image

from segcli import labels
from segcli.data import names
from segcli.data.classes import Named
from segcli.errors import DatasetError, InputError
from segcli.labels import VOID

NAMES = ("background", "leaf", "spot")
PLANTS, MARKED = scenes(), scenes(void=True)
RGB = as_file(lambda ids: VOC[ids])
ODD = np.uint8([(9, 20, 31), (200, 10, 90), (50, 60, 250)])
"""Colours of no known set."""
STRANGER = (9, 99, 199)


def toml(folder: Path, *colours: tuple[int, ...]) -> str:
    path = folder / "set.toml"
    path.write_text(f"names = {list(NAMES)}\npalette = {[list(colour) for colour in colours]}\n")
    return str(path)


def table(*colours: tuple[int, ...], first: str = NAMES[0]) -> tuple[Named, ...]:
    found = [Named(name, None, tuple(map(int, colour))) for name, colour in zip(NAMES, colours, strict=True)]
    return tuple(entry for entry in reversed(found) if entry.name != first)


class TestKnownColours:
    @pytest.mark.parametrize(
        "write",
        [
            RGB,
            as_file(lambda ids: np.dstack([VOC[ids], np.full_like(ids, 255)])),
            as_file(lambda ids: VOC[ids], "gif"),
            as_file(lambda ids: VOC[ids], "tif"),
        ],
        ids=["RGB", "RGBA", "GIF", "TIFF"],
    )
    def test_of_voc_stand_for_the_classes_in_order(self, tmp_path, write):
        masks = read_masks(tmp_path, write, MARKED)
        assert masks.are(MARKED)
        assert (masks.pictures.reading.form, masks.notes) == ("colours", ())

    def test_of_voc_follow_the_list_beside_the_masks(self, tmp_path):
        masks = read_masks(tmp_path, RGB, PLANTS, ("spot", "leaf", "background"), tuple(map(Named, NAMES)))
        assert np.array_equal(masks.ids[0], np.uint8([2, 1, 0])[PLANTS[0]])

    def test_of_the_label_set_come_first(self, tmp_path):
        write = as_file(lambda ids: VOC[[1, 2, 0]][ids])
        masks = read_masks(tmp_path, write, PLANTS, toml(tmp_path, *VOC[[1, 2, 0]].tolist()), table(*VOC[:3]))
        assert masks.are(PLANTS)

    def test_of_a_file_beside_the_masks_come_next(self, tmp_path):
        colours = VOC[[2, 0, 1]]
        masks = read_masks(tmp_path, as_file(lambda ids: colours[ids]), PLANTS, NAMES, table(*colours, first=""))
        assert masks.are(PLANTS)

    @pytest.mark.parametrize("known", ["cityscapes", "camvid", "ade20k"])
    def test_of_a_published_set_go_by_name(self, tmp_path, known):
        label_set = labels.get(known)
        chosen = [1, 9, 4]
        write = as_file(lambda ids: np.uint8(label_set.palette)[chosen][ids])
        assert read_masks(tmp_path, write, PLANTS, [label_set.names[place] for place in chosen]).are(PLANTS)

    def test_of_classes_that_nobody_named_are_a_problem_by_their_name(self, tmp_path):
        masks = read_masks(tmp_path, as_file(lambda ids: VOC[[0, 15, 8]][ids]), PLANTS, ("background", "person"))
        (value,) = masks.illegal
        assert masks.pictures.value_names[value] == "cat"

    def test_in_the_order_blue_green_red_are_read_with_a_note(self, tmp_path):
        masks = read_masks(tmp_path, as_file(lambda ids: np.ascontiguousarray(VOC[ids][..., ::-1])), PLANTS)
        assert masks.are(PLANTS)
        assert "BGR" in masks.notes[0]

    def test_of_two_classes_may_be_any_beside_black(self, tmp_path):
        leaves = scenes(classes=2)
        masks = read_masks(tmp_path, as_file(lambda ids: np.uint8([(0, 0, 0), (255, 0, 0)])[ids]), leaves, NAMES[:2])
        assert masks.are(leaves)
        assert "read the colour (255, 0, 0) as the class 'leaf'" in masks.notes[0]


class TestBlack:
    COLOURS = ((128, 128, 128), (128, 128, 0), (64, 0, 128))

    def write(self, void: tuple[int, int, int] = (0, 0, 0)):
        shades = np.full((256, 3), void, np.uint8)
        shades[:3] = self.COLOURS
        return as_file(lambda ids: shades[ids])

    def test_is_void_where_the_file_beside_the_masks_says_so(self, tmp_path):
        named = (*table(*self.COLOURS, first=""), Named("Void", None, (0, 0, 0)))
        assert read_masks(tmp_path, self.write(), MARKED, NAMES, named).are(MARKED)

    def test_is_void_where_all_classes_have_other_colours(self, tmp_path):
        assert read_masks(tmp_path, self.write(), MARKED, NAMES, table(*self.COLOURS, first="")).are(MARKED)

    def test_is_background_where_that_has_no_colour(self, tmp_path):
        write = as_file(lambda ids: np.uint8([(0, 0, 0), *self.COLOURS[1:]])[ids])
        assert read_masks(tmp_path, write, PLANTS, NAMES, table(*self.COLOURS)).are(PLANTS)

    def test_another_colour_is_void_by_the_users_word(self, tmp_path):
        named, write = table(*self.COLOURS, first=""), self.write((255, 255, 255))
        with pytest.raises(DatasetError, match=r"\(255, 255, 255\) \(576 pixels\)"):
            read_masks(tmp_path, write, MARKED, NAMES, named)
        assert read_masks(tmp_path, write, MARKED, NAMES, named, void=((255, 255, 255),)).are(MARKED)


class TestUnknownColours:
    @staticmethod
    def marked(place: tuple[slice, slice]):
        def make(ids: np.ndarray) -> np.ndarray:
            rgb = VOC[ids]
            rgb[place] = STRANGER
            return rgb

        return as_file(make)

    @pytest.mark.parametrize(
        "place", [np.s_[45:48, :3], np.s_[46:47, :], np.s_[45:47, 5:7]], ids=["region", "line", "dots"]
    )
    def test_are_listed_with_what_to_write(self, tmp_path, place):
        with pytest.raises(
            DatasetError, match=r"for no class in VOC's colours: \(9, 99, 199\) \(\d+ pixels\)"
        ) as error:
            read_masks(tmp_path, self.marked(place), PLANTS)
        known = '"background" = [0, 0, 0], "leaf" = [128, 0, 0], "spot" = [0, 128, 0]'
        assert f'palette = {{{known}, "void" = [9, 99, 199]}}' in error.value.hint

    def test_the_hint_can_be_followed(self, tmp_path):
        with pytest.raises(DatasetError) as error:
            read_masks(tmp_path, as_file(lambda ids: ODD[ids]), PLANTS)
        lines = error.value.hint.split(": ", 1)[1].split(", each class")[0].replace(" and palette", "\npalette")
        (tmp_path / "set.toml").write_text(lines)
        assert names.parse(str(tmp_path / "set.toml")).labels.names == NAMES

    def test_of_a_photo_are_called_so(self, tmp_path):
        photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        with pytest.raises(DatasetError, match="more than") as error:
            read_masks(tmp_path, as_file(lambda _: photo), PLANTS)
        assert "photos" in error.value.hint

    def test_in_one_file_only_name_it_when_it_is_read(self, tmp_path):
        masks = read_masks(tmp_path, RGB, PLANTS)
        self.marked(np.s_[:2, :2])(PLANTS[0], tmp_path / "odd", 0)
        with pytest.raises(InputError, match=r"4 pixels in colours of no class, most of them \(9, 99, 199\)"):
            masks.pictures.read(tmp_path / "odd.png")

    def test_that_jpeg_blurred_are_refused(self, tmp_path):
        with pytest.raises(DatasetError, match="keeps no ids"):
            read_masks(tmp_path, as_file(lambda ids: VOC[ids], "jpg"), PLANTS)


class TestSmoothedEdges:
    @staticmethod
    def scene(scale: int) -> np.ndarray:
        rows, columns = np.mgrid[: 48 * scale, : 64 * scale] / scale
        ids = ((rows - 22) ** 2 + (columns - 24) ** 2 < 225).astype(np.uint8)
        ids[(rows - 20) ** 2 + (columns - 22) ** 2 < 25] = 2
        return ids

    @pytest.mark.parametrize("method", [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
    def test_take_the_nearest_colour_beside_them(self, tmp_path, method):
        small = Image.fromarray(VOC[self.scene(4)]).resize((64, 48), method)
        truth = np.asarray(Image.fromarray(self.scene(4)).resize((64, 48), Image.Resampling.NEAREST))
        masks = read_masks(tmp_path, as_file(lambda _: small), [truth])
        assert masks.are([truth], tolerance=0.01)
        assert "pixels along smoothed edges" in masks.notes[0]

    def test_by_hand(self, tmp_path):
        """Half black, half red, with a column of 0.4 and one of 0.6 red between."""
        rgb = np.zeros((48, 64, 3), np.uint8)
        rgb[:, 30], rgb[:, 31], rgb[:, 32:] = (51, 0, 0), (77, 0, 0), (128, 0, 0)
        masks = read_masks(tmp_path, as_file(lambda _: rgb), PLANTS[:1], NAMES[:2])
        assert masks.ids[0].tolist() == [[0] * 31 + [1] * 33] * 48
        assert masks.notes[0].startswith("96 pixels along smoothed edges")

    def test_that_happen_to_have_the_colour_of_a_class_are_none_of_it(self, tmp_path):
        """Half of VOC's class 1 over black is the colour of its class 8."""
        rgb = np.zeros((48, 64, 3), np.uint8)
        rgb[:, 29], rgb[:, 30], rgb[:, 31], rgb[:, 32:] = (32, 0, 0), VOC[8], (96, 0, 0), (128, 0, 0)
        masks = read_masks(tmp_path, as_file(lambda _: rgb), PLANTS[:1], labels.VOC.names)
        assert set(masks.ids[0].ravel().tolist()) == {0, 1}


class TestPalettes:
    @staticmethod
    def renumbered(ids: np.ndarray, path: Path, number: int) -> Path:
        """The palette as an editor leaves it: entries in use only, in another order in each file."""
        used = np.unique(ids)
        order = np.random.default_rng(number).permutation(len(used))
        indices = np.zeros(256, np.uint8)
        indices[used[order]] = np.arange(len(used))
        return as_file(lambda ids: indexed(indices[ids], VOC[used[order]]))(ids, path, number)

    def test_that_are_decoration_leave_the_indices_alone(self, tmp_path):
        shades = np.random.default_rng(0).integers(0, 256, (256, 3))
        for write in (as_file(lambda ids: indexed(ids, VOC)), as_file(lambda ids: indexed(ids, shades))):
            masks = read_masks(tmp_path, write, MARKED)
            assert masks.are(MARKED)
            assert (masks.pictures.reading.as_, masks.notes) == ("ids", ())

    @pytest.mark.parametrize("truths", [PLANTS, MARKED], ids=["without void", "with void"])
    def test_that_differ_are_read_by_colour(self, tmp_path, truths):
        masks = read_masks(tmp_path, self.renumbered, truths)
        assert masks.are(truths)
        assert "which differ from mask to mask; if the indices are the ids, add --as ids" in masks.notes[0]

    def test_that_contradict_the_label_set_are_read_by_colour(self, tmp_path):
        write = as_file(lambda ids: indexed(np.uint8([2, 0, 1])[ids], VOC[[1, 2, 0]]))
        masks = read_masks(tmp_path, write, PLANTS, toml(tmp_path, *VOC[:3].tolist()))
        assert masks.are(PLANTS)
        assert "which mean other classes" in masks.notes[0]

    def test_that_differ_in_unknown_colours_are_refused(self, tmp_path):
        def write(ids: np.ndarray, path: Path, number: int) -> Path:
            return as_file(lambda ids: indexed((ids + number) % 3, np.roll(ODD, number, 0)))(ids, path, number)

        with pytest.raises(DatasetError, match="the palettes of the masks differ") as error:
            read_masks(tmp_path, write, PLANTS)
        assert "palette = {" in error.value.hint
        assert read_masks(tmp_path, write, PLANTS, NAMES, table(*ODD, first="")).are(PLANTS)
        assert read_masks(tmp_path, write, PLANTS[:1], NAMES, as_="ids").are(PLANTS[:1])

    def test_of_greys_may_show_the_ids_themselves(self, tmp_path):
        shades = [[0] * 3, [1] * 3, [2] * 3, [255] * 3]
        write = as_file(lambda ids: indexed(np.where(ids == VOID, 3, ids), shades))
        assert read_masks(tmp_path, write, MARKED, (*NAMES, "moss")).are(MARKED)

    def test_of_greys_that_differ_are_read_by_the_greys(self, tmp_path):
        def write(ids: np.ndarray, path: Path, number: int) -> Path:
            order = np.random.default_rng(number).permutation(3)
            shades = np.repeat(np.uint8([0, 127, 255])[order], 3).reshape(3, 3)
            return as_file(lambda ids: indexed(np.argsort(order)[ids], shades))(ids, path, number)

        masks = read_masks(tmp_path, write, PLANTS)
        assert masks.are(PLANTS)
        assert masks.pictures.reading.as_ == "spread"


@pytest.mark.parametrize(
    "make",
    [Image.fromarray, lambda ids: Image.fromarray(ids).convert("1"), lambda ids: indexed(ids, VOC)],
    ids=["grey", "one bit", "palette"],
)
def test_a_file_that_a_tool_stored_in_less_is_read_by_its_colours_too(tmp_path, make):
    truths = [*PLANTS[:2], PLANTS[2] * 0]
    files = [RGB, RGB, as_file(make)]
    assert read_masks(tmp_path, lambda ids, path, n: files[n](ids, path, n), truths).are(truths)
