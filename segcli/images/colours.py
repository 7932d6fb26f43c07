"""Colours: pictures of 8 bits, of any mode and profile, as red, green and blue in sRGB."""

from io import BytesIO

from PIL import Image, ImageCms


def to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """The picture in sRGB, 8 bits a channel, without transparency.

    Args:
        image: A picture of any mode of 8 bits or fewer, loaded.
        notes: Takes a sentence for each thing that the user may want to decide otherwise.
    """
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = _on_white(image, notes)
    if image.mode == "LAB":
        return ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), _srgb(), outputMode="RGB")
    image = image.convert("RGB") if image.mode == "P" else image
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            return _managed(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("The colour profile cannot be used; the colours are read as sRGB.")
    return image.convert("RGB")


def _on_white(image: Image.Image, notes: list[str]) -> Image.Image:
    """The picture as a viewer shows it on a white page; the colours that transparent pixels hide are often garbage."""
    image = image.convert("LA") if image.mode == "La" else image
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (0, 0):
        notes.append("It is transparent everywhere, and so all white; --alpha ignore reads the colours below.")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image)
    return page.convert("RGB")


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _managed(image: Image.Image, profile: bytes) -> Image.Image:
    """The RGB or CMYK picture converted to sRGB by its profile; phones' Display P3 and Adobe RGB look pale without."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return image.convert("RGB")
    return ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
