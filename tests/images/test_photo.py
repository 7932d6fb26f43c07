"""From the values of bands to colours: ranges, no-data and alpha."""

import numpy as np
import pytest

from segcli.images.photo import photo_of
from segcli.images.raster import Raster
from segcli.images.reading import PLAIN, PhotoReading


def raster(pixels, **options) -> Raster:
    """One row of pixels."""
    return Raster(np.asarray(pixels)[None], **options)


class TestRange:
    DEEP = np.uint16([[0, 1024, 4095], [2048, 4095, 0]])

    def test_of_the_user_scales_colour(self):
        rgb = photo_of(raster(self.DEEP), PhotoReading((0, 4095))).rgb
        assert rgb.tolist() == [[[0, 64, 255], [128, 255, 0]]]

    def test_is_one_for_the_three_colours(self):
        """One for each would shift the hue: here all red is twice all blue, and stays so."""
        values = np.uint16([[400, 0, 200], [200, 0, 100], [0, 0, 0]])
        rgb = photo_of(raster(values), PhotoReading("auto")).rgb[0].astype(int)
        assert np.abs(rgb[:, 0] - 2 * rgb[:, 2]).max() <= 2

    @pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.int32, np.float16, np.float32, np.float64])
    def test_is_taken_of_numbers_of_any_type(self, dtype):
        rgb = photo_of(raster(np.array([[0, 100, 200]], dtype)), PhotoReading((0, 200))).rgb
        assert rgb.tolist() == [[[0, 128, 255]]]

    def test_of_the_model_goes_before_the_files_own_word_and_is_not_noted(self):
        reading = PhotoReading(ranges={"uint16": (0, 4095)}, trained="uint16")
        photo = photo_of(raster(self.DEEP, stated=((0, 60000),), stated_by="it"), reading)
        assert photo.rgb.tolist() == [[[0, 64, 255], [128, 255, 0]]]
        assert photo.notes == ()

    def test_of_the_model_for_another_kind_is_noted(self):
        reading = PhotoReading(ranges={"uint16": (0, 4095)}, trained="uint16")
        photo = photo_of(raster(np.uint8([[1, 2, 3]])), reading)
        assert photo.rgb.tolist() == [[[1, 2, 3]]]
        assert photo.notes == ("Its values are uint8; the model was trained on uint16 from 0 to 4095.",)

    def test_of_the_file_is_said(self):
        photo = photo_of(raster(self.DEEP, stated=((0, 4095),), stated_by="SignificantBits of its OME data"), PLAIN)
        assert photo.rgb[0, 0].tolist() == [0, 64, 255]
        assert photo.notes == ("Read from 0 to 4095, as SignificantBits of its OME data says; --range sets others.",)

    def test_of_each_channel_is_its_own(self):
        photo = photo_of(raster(self.DEEP, stated=((0, 4096), (0, 2048), (0, 8190)), stated_by="it"), PLAIN)
        assert photo.rgb[0, 0].tolist() == [0, 128, 128]

    def test_that_leaves_many_values_out_is_noted(self):
        assert (
            "33 % of its values lie outside 0 to 3000" in photo_of(raster(self.DEEP), PhotoReading((0, 3000))).notes[0]
        )

    def test_of_the_file_goes_before_what_was_measured(self):
        """Photos that state their range keep it among photos that do not."""
        reading = PhotoReading(ranges={"uint16": (0, 65535)})
        photo = photo_of(raster(self.DEEP, stated=((0, 4095),), stated_by="its maxval"), reading)
        assert photo.rgb[0, 0].tolist() == [0, 64, 255]
        assert "as its maxval says" in photo.notes[0]

    def test_of_all_photos_that_this_one_hardly_uses_is_said(self):
        (note,) = photo_of(raster(self.DEEP), PhotoReading(ranges={"uint16": (0, 65535)})).notes
        assert "use 6.2 % of the range up to 65535" in note


class TestNoData:
    def test_of_one_band_is_out_of_the_range_too(self):
        values = np.float32([[-9999, 100, 150], [200, 150, 100]])
        photo = photo_of(raster(values, nodata=-9999), PhotoReading("auto"))
        assert photo.rgb.tolist() == [[[0, 0, 128], [255, 128, 0]]]
        assert photo.valid is None

    def test_is_void_filled_from_its_surroundings_and_out_of_the_range(self):
        """With -9999 left in, the range would begin there (napari, QGIS: both leave it out)."""
        values = np.float32([[-9999] * 3, [100, 150, 200], [200, 150, 100], [np.nan, 150, 150]])
        photo = photo_of(raster(values, nodata=-9999), PhotoReading("auto"))
        assert photo.valid.tolist() == [[False, True, True, False]]
        assert photo.rgb.tolist() == [[[0, 128, 255], [0, 128, 255], [255, 128, 0], [255, 128, 0]]]
        assert "50 % of its pixels have no data" in photo.notes[0]

    def test_is_what_all_colours_say(self):
        """Black in one band of a photo is a colour; 0 in all of them is the edge of a mosaic."""
        assert photo_of(raster(np.uint8([[0, 9, 9], [0, 0, 0]]), nodata=0), PLAIN).valid.tolist() == [[True, False]]

    @pytest.mark.parametrize("nodata", [-9999, 256, 0.5, np.nan, np.inf, 1e300])
    def test_outside_the_type_is_nowhere(self, nodata):
        assert photo_of(raster(np.uint8([[0, 9, 9], [0, 0, 0]]), nodata=nodata), PLAIN).valid is None

    def test_of_float32_is_found_though_the_text_has_more_digits(self):
        values = np.float32([[-3.4028235e38] * 3, [0, 1, 0]])
        assert photo_of(raster(values, nodata=-3.4028234663852886e38), PLAIN).valid.tolist() == [[False, True]]

    def test_of_a_mask_counts(self):
        photo = photo_of(raster(np.uint8([[9] * 3, [1] * 3]), valid=np.array([[True, False]])), PLAIN)
        assert photo.rgb.tolist() == [[[9] * 3, [9] * 3]]
        assert photo.valid.tolist() == [[True, False]]

    def test_in_a_corner_makes_no_edge(self):
        """A black corner looks like a thing of its own; a smooth one like nothing."""
        ramp = np.repeat(np.linspace(50, 200, 64)[None, :, None], 48, 0).repeat(3, 2).astype(np.uint8)
        valid = np.ones((48, 64), bool)
        valid[:20, 40:] = False
        rgb = photo_of(Raster(np.where(valid[..., None], ramp, 0), valid=valid), PLAIN).rgb.astype(int)
        assert np.array_equal(rgb[valid], ramp[valid])
        assert np.abs(rgb - ramp).max() < 60
        assert np.abs(np.diff(rgb[:, :, 0], axis=0)).max() < 60

    def test_everywhere_is_black(self):
        photo = photo_of(raster(np.uint8([[7] * 3]), nodata=7), PLAIN)
        assert (photo.rgb.tolist(), photo.valid.tolist()) == ([[[0, 0, 0]]], [[False]])


class TestAlpha:
    PIXELS = np.uint8([[100, 100, 100, 255]] * 3 + [[9, 9, 9, 0]] * 3)

    def test_of_0_is_void_in_a_map(self):
        photo = photo_of(raster(self.PIXELS, alpha=3, transparent="mask"), PLAIN)
        assert photo.valid.tolist() == [[True] * 3 + [False] * 3]
        assert (photo.rgb == 100).all()

    def test_lays_the_photo_over_white(self):
        photo = photo_of(raster(self.PIXELS, alpha=3), PLAIN)
        assert photo.rgb[0, :, 0].tolist() == [100] * 3 + [255] * 3
        assert photo.valid is None

    def test_ignored_shows_the_colours_below(self):
        photo = photo_of(raster(self.PIXELS, alpha=3), PhotoReading(alpha="ignore"))
        assert photo.rgb[0, :, 0].tolist() == [100] * 3 + [9] * 3

    def test_that_is_near_infrared_divides_no_colour(self):
        """A band that the file calls premultiplied alpha, and whose values are those of a photo."""
        values = np.uint8([[100, 100, 100, 20], [100, 100, 100, 60]])
        photo = photo_of(raster(values, alpha=3, premultiplied=True, transparent="mask"), PLAIN)
        assert (photo.rgb == 100).all()

    def test_that_colours_were_multiplied_by_is_taken_out(self):
        values = np.uint8([[50, 50, 50, 128]] + [[100, 100, 100, 255]] * 30)
        photo = photo_of(raster(values, alpha=3, premultiplied=True, transparent="mask"), PLAIN)
        assert photo.rgb[0, 0].tolist() == [100, 100, 100]


def test_one_band_is_grey():
    assert photo_of(raster(np.uint8([[5], [7]]), colours=(0,)), PLAIN).rgb.tolist() == [[[5] * 3, [7] * 3]]
