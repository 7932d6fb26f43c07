import pytest

from segcli.images.decoders.ome import is_ome, parsed, stack_of

OWN, OTHER = "urn:uuid:1", "urn:uuid:2"


def text(blocks: str = "<TiffData/>", pixels: str = "", channels: str = "", more: str = "", root: str = "") -> str:
    sizes = 'DimensionOrder="XYCZT" SizeC="2" SizeZ="3" SizeT="1"'
    image = f'<Image ID="Image:0"><Pixels {pixels or sizes}>{channels}{blocks}</Pixels></Image>'
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://ome" {root}>{image}{more}</OME>'


def stack(xml: str, pages: int = 6, samples: int = 1):
    return stack_of(parsed(xml), "a.ome.tif", pages, samples)


def file_of(identity: str, name: str = "") -> str:
    return f'<UUID FileName="{name}">{identity}</UUID>' if name else f"<UUID>{identity}</UUID>"


def test_the_xml_is_known_by_its_end():
    assert is_ome(text())
    assert is_ome(text().replace("OME>", "ome:OME>"))
    assert not is_ome("ImageJ=1.53t\nimages=6")
    assert not is_ome("<OME/>")


def test_a_block_without_numbers_speaks_of_all_pages():
    assert stack(text()).pages == {(page % 2, page // 2, 0): page for page in range(6)}


def test_each_page_may_have_a_block_of_its_own():
    blocks = '<TiffData IFD="5" FirstC="0" FirstZ="2"/><TiffData IFD="1" FirstC="1" FirstZ="2" PlaneCount="1"/>'
    found = stack(text(blocks))
    assert found.pages == {(0, 2, 0): 5, (1, 2, 0): 1}
    assert found.numbers == (2,)
    assert found.shown == 2
    assert found.notes == ("4 of the pages that its OME metadata state are not in the file.",)


def test_names_spaces_and_old_words_do_not_matter():
    old = text('<TiffData IFD="1" NumPlanes="2"/>').replace("<Pixels", "<a:Pixels").replace("</Pixels", "</a:Pixels")
    assert stack(old).pages == {(0, 0, 0): 1, (1, 0, 0): 2}


class TestOtherFiles:
    def test_are_named_and_not_read(self):
        blocks = "".join(
            f'<TiffData IFD="0" FirstC="{c}" FirstZ="{z}">{file_of(OTHER if c else OWN, "dapi.ome.tif" if c else "")}'
            "</TiffData>"
            for c in range(2)
            for z in range(3)
        )
        found = stack(text(blocks, root=f'UUID="{OWN}"'))
        assert found.elsewhere == {(1, z, 0): "dapi.ome.tif" for z in range(3)}
        assert not found.notes
        with pytest.raises(Exception, match="another file, 'dapi"):
            _ = found.shown
        with pytest.raises(Exception, match="z 2 of 3 of channel 2 lies in another file, 'dapi"):
            found.pages_of(1)

    def test_hold_whole_depths(self):
        blocks = "".join(
            f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="2">{file_of(OWN if z == 1 else OTHER)}</TiffData>'
            for z in range(3)
        )
        found = stack(text(blocks, root=f'UUID="{OWN}"'), pages=2)
        assert (found.numbers, found.shown, found.pages_of(1)) == ((1,), 1, (0, 1))

    @pytest.mark.parametrize("name", ["a.ome.tif", "/data/a.ome.tif", "C:\\data\\a.ome.tif"])
    def test_are_not_this_file_by_its_name(self, name):
        assert not stack(text(f"<TiffData>{file_of(OTHER, name)}</TiffData>", root=f'UUID="{OWN}"')).elsewhere


def test_only_the_first_image_is_read():
    second = '<Image><Pixels DimensionOrder="XYZCT" SizeC="9"><Channel Name="x"/><TiffData IFD="7"/></Pixels></Image>'
    found = stack(text(more=second, channels='<Channel Name="a"/><Channel Name="b"/>'))
    assert [channel.name for channel in found.channels] == ["a", "b"]
    assert found.notes == ("It holds 2 images, of which the first is read.",)


@pytest.mark.parametrize(
    ("number", "top"), [("-16776961", (255, 0, 0)), ("65535", (0, 0, 255)), ("16711680", (0, 255, 0))]
)
def test_colours_are_red_green_blue_alpha(number, top):
    channels = f'<Channel Color="{number}"/><Channel Color="-1"/>'
    lut = stack(text(channels=channels)).channels[0].lut
    assert tuple(lut[255]) == top
    assert not lut[0].any()


def test_one_channel_without_a_colour_leaves_all_without():
    channels = '<Channel Color="-16776961"/><Channel/>'
    assert [channel.lut for channel in stack(text(channels=channels)).channels] == [None, None]


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (text(pixels='DimensionOrder="XYCZT" SizeC="2" SizeZ="-3" SizeT="1"'), "'-3' for a number"),
        (text(pixels='DimensionOrder="XYCZT" SizeC="2" SizeZ="1000000000" SizeT="1"'), "1000000000 depths"),
        (text(pixels='DimensionOrder="XYCZT" SizeC="999999" SizeZ="1" SizeT="1"'), "999999 channels"),
        (text(pixels='DimensionOrder="XYCCT" SizeC="2" SizeZ="3" SizeT="1"'), "the order of its planes"),
        (text(pixels='DimensionOrder="XYCZT" SizeC="2"'), "'' for a number"),
        (text(""), "what any page shows"),
        (text('<TiffData IFD="70000"/>'), "what any page shows"),
        (text('<TiffData FirstZ="3"/>'), "what any page shows"),
        (
            text('<TiffData PlaneCount="65536"/>' * 9, 'DimensionOrder="XYCZT" SizeC="2" SizeZ="99999" SizeT="1"'),
            "more",
        ),
        ('<OME><BinaryOnly MetadataFile="x.companion.ome"/></OME>', "no image"),
    ],
)
def test_what_cannot_be_is_not_used(xml, reason):
    with pytest.raises(ValueError, match=reason):
        stack(xml, pages=65_536)


def test_pages_of_colours_are_one_channel():
    assert stack(text(pixels='DimensionOrder="XYCZT" SizeC="3" SizeZ="2" SizeT="1"'), 2, samples=3).pages == {
        (0, 0, 0): 0,
        (0, 1, 0): 1,
    }
    with pytest.raises(ValueError, match="2 channels for pages of 3 bands"):
        stack(text(), samples=3)


def test_entities_are_refused_before_they_grow():
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    with pytest.raises(ValueError, match="type of their own"):
        parsed(text().replace("?>", "?>" + bomb))
    with pytest.raises(ValueError, match="type of their own"):
        parsed('<!DOCTYPE OME SYSTEM "file:///etc/passwd"><OME></OME>')
    with pytest.raises(ValueError, match="no XML"):
        parsed("<OME><Image></OME>")


def test_the_size_of_a_pixel_needs_both_sides():
    sizes = 'PhysicalSizeX="0.5" PhysicalSizeY="250" PhysicalSizeYUnit="nm"'
    assert parsed(text(pixels=sizes)).pixel_size() == (0.5, 0.25)
    assert parsed(text(pixels='PhysicalSizeX="0.5"')).pixel_size() is None
    assert parsed(text(pixels='PhysicalSizeX="0.5" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"')).pixel_size() is None
