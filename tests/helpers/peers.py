"""DeepLabv3+ as TensorFlow's and SegmenTron's sources describe it, around timm's Xception or torchvision's ResNet.

Written for the tests alone, from those sources and without a line of segcli, so that converted weights have something
to be compared with; both checkpoint formats are written from it under every name that the originals have.
"""

import timm
import torch
import torch.nn.functional as F
import torchvision
from timm.layers import ConvNormAct
from torch import nn

ENTRY_BLOCKS = {"xception41": 3, "xception65": 3, "xception71": 5}
MIDDLE_UNITS = {"xception41": 8, "xception65": 16, "xception71": 16}
RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


def timm_xception(kind, output_stride):
    """timm's network; at output stride 8 its Xception-71 lacks a shortcut that TensorFlow's and its own at 16 have."""
    network = timm.create_model(kind, output_stride=output_stride, num_classes=0, global_pool="")
    if kind == "xception71" and output_stride == 8:
        network.blocks[4].shortcut = ConvNormAct(728, 728, 1, apply_act=False)
        network.blocks[4].shortcut.bn.eps = 1e-3
    return network


def conv_bn(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def separable(before, after, rate=1):
    depthwise = nn.Conv2d(before, before, 3, padding=rate, dilation=rate, groups=before, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(before), nn.ReLU(), *conv_bn(before, after))


def backbone_and_tap(kind, output_stride):
    """The backbone, and the module whose output is the low-level features: before the ReLU in Xception."""
    if kind == "resnet101":
        dilated = [False, output_stride == 8, output_stride < 32]
        network = torchvision.models.resnet101(replace_stride_with_dilation=dilated)
        return network, network.layer1
    network = timm_xception(kind, output_stride)
    return network, network.blocks[2 if kind == "xception71" else 1].stack.conv2


class DeepLabV3Plus(nn.Module):
    def __init__(self, kind="xception65", output_stride=16, classes=21):
        super().__init__()
        self.kind = kind
        self.backbone, tapped = backbone_and_tap(kind, output_stride)
        self.image_pooling = conv_bn(2048, 256)
        self.aspp0 = conv_bn(2048, 256)
        self.aspp = nn.ModuleList(separable(2048, 256, rate) for rate in RATES[output_stride])
        self.concat_projection = conv_bn(5 * 256, 256)
        self.feature_projection = conv_bn(256, 48)
        self.decoder = nn.ModuleList([separable(304, 256), separable(256, 256)])
        self.logits = nn.Conv2d(256, classes, 1)
        # A clone, since the ReLU that follows in timm works in place.
        tapped.register_forward_hook(lambda module, inputs, output: setattr(self, "tap", output.clone()))

    def forward(self, x):
        x = self.features(x)
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        x = self.concat_projection(torch.cat([pooled, self.aspp0(x), *(branch(x) for branch in self.aspp)], 1))
        low = self.feature_projection(self.tap)
        x = F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=True)
        return self.logits(self.decoder[1](self.decoder[0](torch.cat([x, low], 1))))

    def features(self, x):
        if self.kind != "resnet101":
            return self.backbone.forward_features(x)
        for name, module in self.backbone.named_children():
            if name not in ("avgpool", "fc"):
                x = module(x)
        return x

    def blocks(self):
        """timm's blocks, each with its TensorFlow scope."""
        entry, middle = ENTRY_BLOCKS[self.kind], MIDDLE_UNITS[self.kind]
        scopes = [f"entry_flow/block{i}/unit_1" for i in range(1, entry + 1)]
        scopes += [f"middle_flow/block1/unit_{i}" for i in range(1, middle + 1)]
        scopes += [f"exit_flow/block{i}/unit_1" for i in (1, 2)]
        return list(zip(self.backbone.blocks, scopes, strict=True))


def tensorflow_checkpoint(network):
    """{name: tensor} as tf.train.Saver wrote it: slim's names, (H, W, in, out), optimiser slots and the step."""
    tensors = {"global_step": torch.tensor(30000)}

    def put(name, tensor):
        tensors[name] = tensor.detach().clone()
        if "moving" not in name:
            tensors[f"{name}/Momentum"] = torch.zeros_like(tensors[name])

    def conv(name, module, bn):
        depthwise = module.groups > 1
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        put(f"{name}/{'depthwise_' * depthwise}weights", module.weight.permute(order))
        for theirs, value in (
            *(("gamma", bn.weight), ("beta", bn.bias)),
            *(("moving_mean", bn.running_mean), ("moving_variance", bn.running_var)),
        ):
            put(f"{name}/BatchNorm/{theirs}", value)

    def pair(name, sequential):
        conv(f"{name}_depthwise", sequential[0], sequential[1])
        conv(f"{name}_pointwise", sequential[3], sequential[4])

    root = network.kind.replace("xception", "xception_")
    for i, stem in enumerate(network.backbone.stem, 1):
        conv(f"{root}/entry_flow/conv1_{i}", stem.conv, stem.bn)
    for block, scope in network.blocks():
        module = f"{root}/{scope}/xception_module"
        for i in (1, 2, 3):
            layer = getattr(block.stack, f"conv{i}")
            conv(f"{module}/separable_conv{i}_depthwise", layer.conv_dw, layer.bn_dw)
            conv(f"{module}/separable_conv{i}_pointwise", layer.conv_pw, layer.bn_pw)
        if block.shortcut is not None:
            conv(f"{module}/shortcut", block.shortcut.conv, block.shortcut.bn)
    for name, layer in (
        ("image_pooling", network.image_pooling),
        ("aspp0", network.aspp0),
        ("concat_projection", network.concat_projection),
        ("decoder/feature_projection0", network.feature_projection),
    ):
        conv(name, layer[0], layer[1])
    for i, branch in enumerate(network.aspp, 1):
        pair(f"aspp{i}", branch)
    for i, layer in enumerate(network.decoder):
        pair(f"decoder/decoder_conv{i}", layer)
    put("logits/semantic/weights", network.logits.weight.permute(2, 3, 1, 0))
    put("logits/semantic/biases", network.logits.bias)
    return tensors


def segmentron_checkpoint(network):
    """{name: tensor} as SegmenTron saves the state dict of a network on Xception-65 or ResNet-101."""
    tensors = {}

    def put(name, module):
        tensors.update({f"{name}.{key}": value.clone() for key, value in module.state_dict().items()})

    def block(name, depthwise, bn_depth, pointwise, bn_point):
        put(f"{name}.block.depthwise", depthwise)
        put(f"{name}.block.bn_depth", bn_depth)
        put(f"{name}.block.pointwise", pointwise)
        put(f"{name}.block.bn_point", bn_point)

    if network.kind == "resnet101":
        put("encoder", network.backbone)
    else:
        for i, stem in enumerate(network.backbone.stem, 1):
            put(f"encoder.conv{i}", stem.conv)
            put(f"encoder.bn{i}", stem.bn)
        for n, (module, _) in enumerate(network.blocks(), 1):
            for i in (1, 2, 3):
                layer = getattr(module.stack, f"conv{i}")
                block(f"encoder.block{n}.sep_conv{i}", layer.conv_dw, layer.bn_dw, layer.conv_pw, layer.bn_pw)
            if module.shortcut is not None:
                put(f"encoder.block{n}.conv", module.shortcut.conv)
                put(f"encoder.block{n}.bn", module.shortcut.bn)
    for name, layer in (
        ("head.aspp.aspp0.", network.aspp0),
        ("head.aspp.image_pooling.", network.image_pooling),
        ("head.aspp.", network.concat_projection),
        ("head.c1_block.", network.feature_projection),
    ):
        put(f"{name}conv", layer[0])
        put(f"{name}bn", layer[1])
    for i, branch in enumerate(network.aspp, 1):
        block(f"head.aspp.aspp{i}", branch[0], branch[1], branch[3], branch[4])
    for i, layer in enumerate(network.decoder):
        block(f"head.block.{i}", layer[0], layer[1], layer[3], layer[4])
    put("head.block.2", network.logits)
    return tensors
