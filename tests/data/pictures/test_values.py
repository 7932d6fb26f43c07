import numpy as np
import pytest
from mask_files import as_file, read_masks, scenes

from segcli.data.classes import Named
from segcli.errors import DatasetError
from segcli.labels import VOID

NAMES = ("background", "leaf", "spot")
TWO = ("background", "leaf")
PLAIN = as_file(lambda ids: ids)
ONE_BASED = as_file(lambda ids: np.where(ids == VOID, 0, ids + 1).astype(np.uint8))
"""Classes from 1 on, 0 for void."""
LEAVES, PLANTS, MARKED = scenes(classes=2), scenes(), scenes(void=True)


def values(*of_classes: int, void: int = VOID, dtype=np.uint8, suffix: str = "png"):
    """Write masks in which each class has the given value."""
    table = np.full(256, void, np.int64)
    table[: len(of_classes)] = of_classes
    return as_file(lambda ids: table[ids].astype(dtype), suffix)


class TestPlain:
    @pytest.mark.parametrize(
        "write",
        [PLAIN, *(values(0, 1, 2, dtype=kind, suffix="tif") for kind in (np.uint16, np.int32, np.float32))],
        ids=["8 bits", "16 bits", "32 bits", "reals"],
    )
    def test_ids_are_read_as_ever_without_a_note(self, tmp_path, write):
        masks = read_masks(tmp_path, write, MARKED)
        assert masks.are(MARKED)
        assert (masks.pictures.reading.form, masks.notes) == ("class ids", ())
        assert masks.pictures.ids == {0: 0, 1: 1, 2: 2, VOID: VOID}

    def test_values_below_0_are_void(self, tmp_path):
        masks = read_masks(tmp_path, values(0, 1, 2, void=-1, dtype=np.int32, suffix="tif"), MARKED)
        assert masks.are(MARKED)
        assert any("below 0" in note for note in masks.notes)

    def test_a_class_too_many_is_a_problem_of_its_file(self, tmp_path):
        masks = read_masks(tmp_path, values(0, 1, 2, 9), scenes(classes=4))
        assert masks.illegal.keys() == {9}

    def test_the_file_beside_the_masks_names_it(self, tmp_path):
        masks = read_masks(tmp_path, PLAIN, PLANTS, TWO, tuple(map(Named, NAMES)))
        assert masks.illegal.keys() == {2}
        assert masks.pictures.value_names == {2: "spot"}

    def test_masks_of_0_1_and_of_0_255_are_told_apart(self, tmp_path):
        files = [PLAIN, values(0, 255), PLAIN]
        masks = read_masks(tmp_path, lambda ids, path, n: files[n](ids, path, n), LEAVES, TWO)
        assert "add --as binary" in masks.notes[0]


class TestTables:
    """Classes go by name; the place of a name counts in the list of the masks, not in the user's."""

    @pytest.mark.parametrize("table", [tuple(map(Named, NAMES)), tuple(map(Named, NAMES, range(3)))])
    def test_give_the_order(self, tmp_path, table):
        masks = read_masks(tmp_path, PLAIN, PLANTS, ("spot", "Background", "leaf"), table)
        assert all(np.array_equal(np.uint8([1, 2, 0])[ids], read) for ids, read in zip(PLANTS, masks.ids, strict=True))

    def test_give_values(self, tmp_path):
        table = (Named("spot", 30), Named("leaf", 7), Named("background", 200), Named("ignore", 1))
        masks = read_masks(tmp_path, values(200, 7, 30, void=1), MARKED, NAMES, table)
        assert masks.are(MARKED)
        assert masks.notes == ()

    def test_may_lack_the_background(self, tmp_path):
        assert read_masks(tmp_path, PLAIN, PLANTS, NAMES, (Named("leaf"), Named("spot"))).are(PLANTS)
        valued = read_masks(tmp_path, values(0, 5, 6), PLANTS, NAMES, (Named("leaf", 5), Named("spot", 6)))
        assert valued.are(PLANTS)
        assert "read 0 as the class 'background'" in valued.notes[0]

    def test_that_count_from_0_may_belong_to_masks_that_count_from_1(self, tmp_path):
        """SceneParse150 and its like: id2label.json begins with 0, and 0 is void in the masks."""
        assert read_masks(tmp_path, ONE_BASED, MARKED, NAMES, tuple(map(Named, NAMES, range(3)))).are(MARKED)

    def test_name_the_classes_where_nobody_does(self, tmp_path):
        table = (Named("spot", 2), Named("soil", 4), Named("leaf", 9))
        masks = read_masks(tmp_path, values(4, 9, 2), PLANTS, None, table)
        assert masks.pictures.labels.names == ("spot", "soil", "leaf")
        assert np.array_equal(masks.ids[0], np.uint8([1, 2, 0])[PLANTS[0]])

    def test_of_other_things_are_not_followed(self, tmp_path):
        assert read_masks(tmp_path, PLAIN, PLANTS, NAMES, (Named("cat", 0), Named("dog", 1))).are(PLANTS)


class TestOneBased:
    @pytest.mark.parametrize("names", [NAMES, ("soil", "leaf", "spot")])
    def test_0_is_void_where_the_last_class_has_their_number(self, tmp_path, names):
        masks = read_masks(tmp_path, ONE_BASED, MARKED, names)
        assert masks.are(MARKED)
        assert masks.pictures.reading.as_ == "one-based"
        assert masks.notes[0].startswith("read 0 as void and 1 to 3 as the classes in their order")

    def test_a_background_on_most_pixels_is_0_and_a_class_has_no_name(self, tmp_path):
        masks = read_masks(tmp_path, PLAIN, PLANTS, TWO)
        assert masks.illegal.keys() == {2}
        assert "--as objects if they number objects" in masks.notes[0]

    def test_by_the_users_word(self, tmp_path):
        masks = read_masks(tmp_path, values(1, 2), LEAVES, as_="one-based")
        assert masks.are(LEAVES)


class TestTrimaps:
    MARKED = scenes(classes=2, void=True)

    @pytest.mark.parametrize("names", [("background", "pet"), ("pet", "background"), ("pet",)])
    def test_of_pets_have_the_pet_first(self, tmp_path, names):
        swap = np.arange(256, dtype=np.uint8)
        if names[0] == "pet" and len(names) == 2:
            swap[:2] = 1, 0
        masks = read_masks(tmp_path, values(2, 1, void=3), self.MARKED, names)
        assert all(np.array_equal(swap[ids], read) for ids, read in zip(self.MARKED, masks.ids, strict=True))

    def test_of_pets_may_have_no_rim(self, tmp_path):
        assert read_masks(tmp_path, values(2, 1), LEAVES, TWO, words=("trimaps",)).are(LEAVES)

    @pytest.mark.parametrize("grey", [127, 128])
    def test_of_matting_have_grey_for_void(self, tmp_path, grey):
        masks = read_masks(tmp_path, values(0, 255, void=grey), self.MARKED, TWO)
        assert masks.are(self.MARKED)
        assert f"{grey} as void" in masks.notes[0]


class TestSpread:
    @pytest.mark.parametrize(
        "steps", [(0, 127, 255), (0, 128, 255), (0, 85, 170, 255), (0, 63, 127, 191, 255), (0, 64, 128, 191, 255)]
    )
    def test_the_last_class_is_255(self, tmp_path, steps):
        truths = scenes(classes=len(steps))
        masks = read_masks(tmp_path, values(*steps), truths, [f"class {place}" for place in range(len(steps))])
        assert masks.are(truths)
        assert masks.pictures.reading.as_ == "spread"

    def test_255_is_void_by_the_users_word(self, tmp_path):
        masks = read_masks(tmp_path, values(0, 127, void=255), scenes(classes=2, void=True), void=(255,), as_="ids")
        assert masks.illegal.keys() == {127}


class TestGaps:
    @pytest.mark.parametrize(("kind", "greys"), [(np.uint8, (0, 40, 200)), (np.uint16, (3, 1000, 30_000))])
    def test_as_many_values_as_classes_are_those_in_order(self, tmp_path, kind, greys):
        masks = read_masks(tmp_path, values(*greys, dtype=kind), MARKED)
        assert masks.are(MARKED)
        table = f'ids = {{"background" = {greys[0]}, "leaf" = {greys[1]}, "spot" = {greys[2]}}}'
        assert table in masks.notes[0]
        assert "255 as void" in masks.notes[0]

    def test_values_of_another_number_are_told(self, tmp_path):
        masks = read_masks(tmp_path, values(0, 40, 200), PLANTS, (*NAMES, "moss"))
        assert masks.illegal.keys() == {40, 200}
        assert "the values 0, 40, 200, which fit no reading of 4 classes" in masks.notes[0]


def numbered(ids: np.ndarray, first: int = 1, kind: type = np.uint16) -> np.ndarray:
    """Each 8 x 8 block of class 1 as an object with a number of its own."""
    made, number = np.zeros(ids.shape, kind), first
    for row in range(0, ids.shape[0], 8):
        for column in range(0, ids.shape[1], 8):
            place = np.s_[row : row + 8, column : column + 8]
            if ids[place].any():
                made[place][ids[place] > 0] = number
                number += 1
    return made


class TestObjects:
    @pytest.mark.parametrize(
        "write",
        [
            as_file(numbered),
            as_file(lambda ids: numbered(ids, kind=np.uint8)),
            as_file(lambda ids: numbered(ids, first=300)),
            as_file(lambda ids: numbered(ids, first=100_000, kind=np.int32), "tif"),
        ],
        ids=["16 bits", "8 bits", "over 255", "32 bits"],
    )
    @pytest.mark.parametrize("names", [TWO, ("cell",), None])
    def test_every_number_is_the_class(self, tmp_path, write, names):
        masks = read_masks(tmp_path, write, LEAVES, names)
        assert masks.are(LEAVES)
        assert masks.pictures.reading.as_ == "objects"
        assert "number objects" in masks.notes[0]

    def test_few_of_them_are_known_by_the_names_of_the_files(self, tmp_path):
        write = as_file(lambda ids: np.where(np.arange(64) < 20, ids, ids * 2))
        assert read_masks(tmp_path, write, LEAVES, TWO, words=("_cp_masks",)).are(LEAVES)
        assert read_masks(tmp_path, write, LEAVES, TWO).illegal.keys() == {2}


class TestCityscapes:
    NAMES = ("road", "vegetation", "person")

    def test_ids_go_by_name_and_what_nobody_named_is_void(self, tmp_path):
        truths = [np.where(ids == 2, VOID, ids).astype(np.uint8) for ids in PLANTS]
        write = as_file(lambda ids: np.uint8([7, 21, *[23] * 254])[ids])
        masks = read_masks(tmp_path, write, truths, self.NAMES, words=("gtfine", "_gtfine_labelids"))
        assert masks.are(truths)
        assert masks.notes == ("classes of Cityscapes that nobody named are void: sky",)

    def test_train_ids_go_by_name_too(self, tmp_path):
        masks = read_masks(tmp_path, values(0, 8, 11), MARKED, self.NAMES, words=("_gtfine_labeltrainids",))
        assert masks.are(MARKED)

    def test_need_no_names(self, tmp_path):
        masks = read_masks(tmp_path, values(7, 8, void=0), MARKED[:1], None, words=("_gtfine_labelids",))
        assert masks.pictures.labels.names[:2] == ("road", "sidewalk")
        assert masks.ids[0][20:].max() <= 1 or masks.illegal == {}


def test_the_users_void_is_void_in_every_form(tmp_path):
    masks = read_masks(tmp_path, values(0, 1, 2, void=77), MARKED, void=(77,))
    assert masks.are(MARKED)
    none = read_masks(tmp_path, PLAIN, MARKED, void=())
    assert none.illegal.keys() == {VOID}


def test_a_form_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="which --as spread cannot read"):
        read_masks(tmp_path, PLAIN, PLANTS, as_="spread")
    with pytest.raises(DatasetError, match="which --as trimap cannot read"):
        read_masks(tmp_path, PLAIN, PLANTS, TWO, as_="trimap")
