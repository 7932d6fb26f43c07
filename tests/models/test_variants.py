import json
from dataclasses import replace

import pytest

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.spec import ASPPSpec, BranchesSpec, ModelSpec
from segcli.models.variants import VARIANTS

PROMISED = """v1-vgg16 v2-vgg16 v2-resnet101 v3-resnet50 v3-resnet101 v3-mobilenetv2 v3-mobilenetv3 v3plus-resnet50
v3plus-resnet101 v3plus-xception v3plus-xception71 v3plus-xception41 v3plus-mobilenetv2""".split()


def test_every_promised_name_is_there_under_its_own_name():
    assert [name for name in PROMISED if VARIANTS[name].name != name] == []
    assert [name for name, spec in VARIANTS.items() if spec.name != name] == []


def test_an_alias_gives_the_variant_itself():
    assert variants.get("v3plus-xception65") is VARIANTS["v3plus-xception"]


@pytest.mark.parametrize("typo", ["v3plus-xcepton", "v3-mobilnetv2", "V2-resnet101"])
def test_a_misspelt_name_is_answered_with_the_nearest(typo):
    with pytest.raises(UsageError, match=f"no model is called {typo!r}.* Did you mean v"):
        variants.get(typo)


def test_no_two_variants_are_the_same_network_in_the_same_family():
    described = [json.dumps({**spec.to_dict(), "name": ""}) for spec in VARIANTS.values()]
    assert len(set(described)) == len(described)


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS)
def test_a_spec_survives_json_and_can_be_built_as_it_says(spec):
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert spec.output_stride in spec.output_strides
    assert bool(spec.decoder) == bool(spec.backbone.taps)


def test_what_a_model_does_not_use_is_not_written_so_that_caches_of_earlier_versions_stay():
    plain = VARIANTS["v3plus-resnet101"]
    assert {"tap_branch", "project_kernel"} & {*plain.to_dict()["backbone"], *plain.to_dict()["head"]} == set()
    assert VARIANTS["v3plus-resnet101-beta"].to_dict()["backbone"]["tap_branch"] is True
    wide = replace(plain, head=replace(plain.head, project_kernel=3))
    assert wide.to_dict()["head"]["project_kernel"] == 3
    assert ModelSpec.from_dict(wide.to_dict()) == wide


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("name"), "lacks model.name"),
        (lambda d: d["backbone"].pop("kind"), "lacks model.backbone.kind"),
        (lambda d: d["backbone"].update(bottleneck=4), "has an unknown model.backbone.bottleneck"),
        (lambda d: d["backbone"].update(kind="resnet18"), "'resnet18' at model.backbone.kind"),
        (lambda d: d.update(output_stride="16"), "'16' at model.output_stride"),
        (lambda d: d.update(align_corners=1), "1 at model.align_corners"),
        (lambda d: d["decoder"].update(convs=[[3, 256], [3]]), r"\[\[3, 256\], \[3\]\] at model.decoder.convs"),
        (lambda d: d["backbone"].update(extra_stages=10**9), "1000000000 at model.backbone.extra_stages"),
        (lambda d: d["backbone"].update(multi_grid=[1, 2]), r"\[1, 2\] at model.backbone.multi_grid"),
        (lambda d: d["head"].update(dropout=float("nan")), "nan at model.head.dropout"),
        (lambda d: d.update(scales=0.5), "0.5 at model.scales"),
        (lambda d: d.update(decoder=3), "3 at model.decoder"),
        (lambda d: d.update(backbone=None), "None at model.backbone"),
        (lambda d: d.update(head=[]), r"\[\] at model.head"),
        (lambda d: d.update(output_stride=0, output_strides=[0, 8]), r"\[0, 8\] at model.output_strides"),
        (lambda d: d.update(output_stride=64), "64 at model.output_stride"),
        (lambda d: d.update(output_strides=[]), "16 at model.output_stride"),
        (lambda d: d.update(scales=[0]), r"\[0\] at model.scales"),
        (lambda d: d["head"].update(project_kernel=2), "2 at model.head.project_kernel"),
        (lambda d: d["head"].update(dropout=2.0), "2.0 at model.head.dropout"),
        (lambda d: d["decoder"].update(convs=[[0, 256]]), r"\[\[0, 256\]\] at model.decoder.convs"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_with_its_place(change, message):
    data = json.loads(json.dumps(VARIANTS["v3plus-xception"].to_dict()))
    change(data)
    with pytest.raises(WeightsError, match=message):
        ModelSpec.from_dict(data)


def branches(name: str) -> tuple[tuple[int, ...], int, int]:
    head = VARIANTS[name].head
    assert isinstance(head, BranchesSpec)
    return head.rates, head.kernel, head.channels


def test_the_v2_papers_heads():
    assert branches("v1-vgg16") == ((12,), 3, 1024)
    assert branches("v1-vgg16-7x7") == ((4,), 7, 4096)
    assert branches("v1-vgg16-4x4") == ((4,), 4, 4096)
    assert branches("v1-vgg16-4x4-r8") == ((8,), 4, 4096)
    assert branches("v2-vgg16-aspp-s") == ((2, 4, 8, 12), 3, 1024)
    assert branches("v2-vgg16") == ((6, 12, 18, 24), 3, 1024)
    assert branches("v2-resnet101") == ((6, 12, 18, 24), 3, 0)
    assert VARIANTS["v2-resnet101"].scales == (0.5, 0.75)


def test_the_v3plus_papers_tables_1_and_2():
    rows = {name: spec.decoder for name, spec in VARIANTS.items() if name.startswith("v3plus-resnet101-beta-")}
    assert {d.low_level_channels for d in rows.values() if d} == {8, 16, 32, 48, 64}
    convs = {d.convs for d in (*rows.values(), VARIANTS["v3plus-resnet101-beta"].decoder) if d}
    assert convs == {((3, 256),), ((3, 256),) * 2, ((3, 256),) * 3, ((3, 128),), ((1, 256),)}
    assert VARIANTS["v3plus-resnet101-beta-conv3"].backbone.taps == ("conv2", "conv3")


def test_the_suffixes_mean_what_the_papers_tables_say():
    whole = VARIANTS["v3plus-xception"]
    assert whole.head == ASPPSpec(separable=True)
    assert whole.decoder.separable
    assert VARIANTS["v3plus-xception-nodecoder"].decoder is None
    assert not VARIANTS["v3plus-xception-nosc"].head.separable
    assert not VARIANTS["v3plus-xception-nosc"].decoder.separable
    assert not VARIANTS["v3plus-xception-nopool"].head.image_pooling
    assert VARIANTS["v3-resnet101-mg124"].backbone.multi_grid == (1, 2, 4)
    assert VARIANTS["v3-resnet101-cascade"].backbone.extra_stages == 3
