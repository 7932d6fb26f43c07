"""Label files: a small valid one of every form, for a photo of 64 x 48 pixels called a.png."""

import base64
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import rois
from PIL import Image

from segcli.data.forms import brush

SIZE = (48, 64)
"""(height, width) of the photo."""
LEAF = ((4, 4), (40, 4), (44, 20), (40, 30), (4, 30))
SPOT = ((10, 10), (20, 10), (20, 20), (10, 20))
MASK = np.hypot(*np.mgrid[-5.5:6, -5.5:6]) < 5
"""bool (12, 12), a disc."""


@dataclass(frozen=True)
class LabelFile:
    """A label file.

    Attributes:
        kind: What it is written in, such as "JSON".
        form: The word of `--as` for its form, "names" for a file of names, or "pictures" for a mask.
        path: Its place in a folder.
        content: Its bytes.
        beside: Other files that belong to it: place -> bytes.
    """

    kind: str
    form: str
    path: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)


def every_form() -> tuple[LabelFile, ...]:
    """A file of each form and kind."""
    return (*_of_one_photo(), *_of_many_photos(), *_of_tasks(), *_vector_text(), *_regions(), *_pictures(), *_names())


def png(pixels: np.ndarray) -> bytes:
    """A picture's file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def whole_mask() -> np.ndarray:
    """bool (48, 64): the disc in its place in the photo."""
    mask = np.zeros(SIZE, bool)
    mask[20:32, 30:42] = MASK
    return mask


def _json(form: str, path: str, content: object, beside: Mapping[str, bytes] | None = None) -> LabelFile:
    return LabelFile("JSON", form, path, json.dumps(content).encode(), beside or {})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _points(points: tuple) -> list[list[float]]:
    return [list(map(float, point)) for point in points]


def _of_one_photo() -> tuple[LabelFile, ...]:
    labelme = [
        {
            "label": "leaf",
            "points": _points(LEAF),
            "shape_type": "polygon",
            "group_id": None,
            "flags": {},
            "mask": None,
        },
        {"label": "spot", "points": [[10, 10], [20, 20]], "shape_type": "rectangle", "flags": {}},
        {"label": "spot", "points": [[30, 30], [33, 30]], "shape_type": "circle", "flags": {}},
        {"label": "vein", "points": [[1, 1], [5, 5]], "shape_type": "line", "flags": {}},
        {"label": "leaf", "points": [[30, 20], [41, 31]], "shape_type": "mask", "mask": _text(png(MASK))},
    ]
    sheet = {"version": "5.5.0", "flags": {}, "shapes": labelme, "imagePath": "a.png", "imageData": None}
    bitmap = {"data": _text(zlib.compress(png(MASK))), "origin": [30, 20]}
    objects = [
        {"id": 1, "classTitle": "leaf", "geometryType": "polygon", "points": {"exterior": LEAF, "interior": [SPOT]}},
        {"id": 2, "classTitle": "spot", "geometryType": "bitmap", "bitmap": bitmap},
        {
            "id": 3,
            "classTitle": "spot",
            "geometryType": "rectangle",
            "points": {"exterior": [[1, 1], [5, 5]], "interior": []},
        },
    ]
    colours = {"leaf": "#FF0000", "spot": "#00FF00"}
    classes = [{"title": title, "shape": "any", "color": colour} for title, colour in colours.items()]
    meta = {"meta.json": json.dumps({"classes": classes, "tags": [], "projectType": "images"}).encode()}
    painted = {"description": "", "tags": [], "size": {"height": 48, "width": 64}, "objects": objects}
    return (
        _json("labelme", "a.json", {**sheet, "imageHeight": 48, "imageWidth": 64}),
        _json("supervisely", "ds/ann/a.png.json", painted, meta),
        _json(
            "geojson",
            "a.geojson",
            {"type": "FeatureCollection", "features": [_feature("leaf", LEAF), _feature("spot", SPOT)]},
        ),
        _json("darwin", "a.json", _darwin()),
    )


def _feature(name: str, ring: tuple) -> dict:
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [1, 2, 3]}}
    geometry = {"type": "Polygon", "coordinates": [_points((*ring, ring[0]))]}
    return {"type": "Feature", "id": "0-0", "geometry": geometry, "properties": properties}


def _darwin() -> dict:
    path = [{"x": x, "y": y} for x, y in LEAF]
    layer = {
        "dense_rle": [0, 100, 1, 30, 0, 48 * 64 - 130],
        "mask_annotation_ids_mapping": {"m": 1},
        "total_pixels": 3072,
    }
    annotations = [
        {"id": "p", "name": "leaf", "polygon": {"paths": [path]}, "bounding_box": {"x": 4, "y": 4, "w": 40, "h": 26}},
        {"id": "m", "name": "spot", "mask": {"sparse_rle": None}},
        {"id": "r", "name": "__raster_layer__", "raster_layer": layer},
        {"id": "b", "name": "spot", "bounding_box": {"x": 1, "y": 1, "w": 4, "h": 6}},
    ]
    slots = [{"slot_name": "0", "type": "image", "width": 64, "height": 48}]
    return {"version": "2.0", "item": {"name": "a.png", "path": "/", "slots": slots}, "annotations": annotations}


def _of_many_photos() -> tuple[LabelFile, ...]:
    outlines = [[number for point in LEAF for number in point]]
    return (
        _json("coco", "polygons.json", _coco(outlines)),
        _json("coco", "runs.json", _coco({"size": [48, 64], "counts": [100, 30, 48 * 64 - 130]})),
        _json(
            "coco", "packed.json", _coco({"size": [48, 64], "counts": "T3n0nk2"})
        ),  # pycocotools 2.0.11, the same runs
        _json("via", "via.json", {"_via_settings": {}, "_via_img_metadata": {"a.png1": _via()}, "_via_attributes": {}}),
        _json("segments", "release.json", _segments(), {"1f.png": _object_numbers()}),
    )


def _coco(segmentation: object) -> dict:
    shape = {"image_id": 1, "segmentation": segmentation, "area": 30, "bbox": [1, 1, 5, 5], "iscrowd": 0}
    categories = [{"id": 3, "name": "leaf", "supercategory": ""}, {"id": 17, "name": "spot"}]
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": [{"id": 1, "category_id": 3} | shape, {"id": 2, "category_id": 17} | shape],
        "categories": categories,
    }


def _via() -> dict:
    x, y = zip(*LEAF, strict=True)
    outlines = [
        {"name": "polygon", "all_points_x": x, "all_points_y": y},
        {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 6},
        {"name": "ellipse", "cx": 30, "cy": 30, "rx": 4, "ry": 2, "theta": 0.5},
        {"name": "circle", "cx": 30, "cy": 30, "r": 3},
    ]
    kinds = ("leaf", "spot", "spot", "spot")
    regions = [{"shape_attributes": o, "region_attributes": {"kind": k}} for o, k in zip(outlines, kinds, strict=True)]
    return {"filename": "a.png", "size": 1, "regions": regions, "file_attributes": {}}


def _segments() -> dict:
    objects = [{"id": 1, "category_id": 1}, {"id": 300, "category_id": 2}]
    content = {
        "format_version": "0.1",
        "annotations": objects,
        "segmentation_bitmap": {"url": "https://x.org/1f.png?s=1"},
    }
    sample = {
        "name": "a.png",
        "uuid": "u",
        "labels": {"ground-truth": {"label_status": "LABELED", "attributes": content}},
    }
    categories = [{"name": "leaf", "id": 1}, {"name": "spot", "id": 2}]
    return {"name": "v1", "dataset": {"task_attributes": {"categories": categories}, "samples": [sample]}}


def _object_numbers() -> bytes:
    pixels = np.zeros((*SIZE, 4), np.uint8)
    pixels[4:30, 4:40] = (1, 0, 0, 255)
    pixels[10:20, 10:20] = (44, 1, 0, 255)
    return png(pixels)


def _of_tasks() -> tuple[LabelFile, ...]:
    stream = brush.encode(whole_mask())
    values = (
        ("polygonlabels", "leaf", {"points": [[x / 0.64, y / 0.48] for x, y in LEAF]}),
        ("rectanglelabels", "spot", {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 30}),
        ("ellipselabels", "spot", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 0}),
        ("brushlabels", "spot", {"format": "rle", "rle": list(stream)}),
    )
    result = [
        {
            "id": str(index),
            "type": kind,
            "from_name": "tag",
            "to_name": "image",
            "original_width": 64,
            "original_height": 48,
        }
        | {"image_rotation": 0, "value": {kind: [name]} | value}
        for index, (kind, name, value) in enumerate(values)
    ]
    annotation = {"id": 5, "was_cancelled": False, "created_at": "2026-01-01T00:00:00Z", "result": result}
    task = {"id": 7, "data": {"image": "/data/upload/1/1f2e3d4c-a.png"}, "annotations": [annotation], "predictions": []}
    picture = png(np.stack([whole_mask() * np.uint8(255)] * 4, 2))
    region = "task-7-annotation-5-by-1-tag-leaf-0.png"
    export = json.dumps([task]).encode()
    return (
        _json("label-studio", "export.json", [task]),
        LabelFile("PNG", "label-studio-png", region, picture, {"export.json": export}),
    )


def _vector_text() -> tuple[LabelFile, ...]:
    yaml = b"path: ../plants\ntrain: images\nval: images\nnc: 2\nnames:\n  0: leaf\n  1: 'no'\n"
    line = " ".join(f"{x / 64:.6f} {y / 48:.6f}" for x, y in LEAF)
    outline = f"0 {line}\n1 0.1 0.1 0.3 0.1 0.3 0.3\n".encode()
    rows = (
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        'a.png,1,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":1,""width"":5,""height"":6}","{""kind"":""leaf""}"\n'
    )
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in LEAF)
    older = f"<annotation><filename>a.png</filename><object><name>leaf</name><polygon>{corners}</polygon></object>"
    size = "<size><width>64</width><height>48</height></size>"
    frame = "<name>leaf</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>6</ymax></bndbox>"
    return (
        LabelFile("XML", "cvat", "annotations.xml", _cvat().encode()),
        LabelFile("XML", "voc-boxes", "a.xml", f"{older}{size}<object>{frame}</object></annotation>".encode()),
        LabelFile("TXT", "yolo", "labels/a.txt", outline, {"data.yaml": yaml}),
        LabelFile("YAML", "yolo", "data.yaml", yaml, {"labels/a.txt": outline}),
        LabelFile("TXT", "via", "via.csv", rows.encode()),
    )


def _cvat() -> str:
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in LEAF)
    names = "".join(f"<label><name>{name}</name><color>#3c8232</color></label>" for name in ("leaf", "spot"))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f'<meta><task><labels>{names}</labels></task></meta><image id="0" name="a.png" width="64" height="48">'
        f'<polygon label="leaf" points="{points}" z_order="0"/>'
        '<box label="spot" xtl="1.00" ytl="1.00" xbr="5.00" ybr="6.00" z_order="1"/>'
        '<ellipse label="spot" cx="30.00" cy="30.00" rx="4.00" ry="2.00" z_order="1"/>'
        '<mask label="spot" rle="3, 5, 2" left="10" top="12" width="5" height="2" z_order="2"/></image></annotations>\n'
    )


def _regions() -> tuple[LabelFile, ...]:
    kinds = ("polygon", "fractions", "rounded", "oval", "subrect", "ellipse", "turned", "composite")
    entries = {f"{index:04}_{kind}.roi": rois.ROIS[kind] for index, kind in enumerate(kinds)}
    curves = rois.path(0, 4, 4, 2, 20, 40, 40, 4, 3, 30, 0, 20, 9, 4, 4, 4)
    singles = {**{kind: rois.ROIS[kind] for kind in kinds}, "curves": curves}
    return (
        LabelFile("ROI", "imagej", "a_RoiSet.zip", rois.zipped(entries)),
        *(LabelFile("ROI", "imagej", "a.roi", content) for content in singles.values()),
    )


def _pictures() -> tuple[LabelFile, ...]:
    ids = whole_mask().astype(np.uint8)
    palette = Image.fromarray(ids, "P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    colours = np.where(whole_mask()[..., None], np.uint8([128, 0, 0]), np.uint8(0))
    masks = (png(ids), png(ids * np.uint8(255)), png(ids.astype(np.uint16) * 300), png(whole_mask()))
    release = {"release.json": json.dumps(_segments()).encode()}
    table = {"label_colors.txt": b"0 0 0 sky\n128 0 0 leaf\n"}
    return (
        LabelFile("PNG", "segments", "1f.png", _object_numbers(), release),
        LabelFile("PNG", "pictures", "masks/a.png", png(colours), table),
        *(LabelFile("PNG", "pictures", "masks/a.png", content) for content in (*masks, buffer.getvalue())),
    )


def _names() -> tuple[LabelFile, ...]:
    return (
        LabelFile(
            "TXT", "names", "labelmap.txt", b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nleaf:60,130,50::\n"
        ),
        LabelFile("TXT", "names", "label_colors.txt", b"0 0 0 Void\n60 130 50 leaf\n"),
        LabelFile("TXT", "names", "class_dict.csv", b"name,r,g,b\nbackground,0,0,0\nleaf,60,130,50\n"),
        LabelFile("TXT", "names", "labels.txt", b"__ignore__\n_background_\nleaf\nspot\n"),
        LabelFile("YAML", "names", "names.yaml", b"names: [background, leaf, 'no']\n"),
        _json("names", "id2label.json", {"0": "background", "1": "leaf"}),
        _json("names", "meta.json", {"classes": [{"title": "leaf", "shape": "any", "color": "#3c8232"}], "tags": []}),
    )
