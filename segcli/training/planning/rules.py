"""Rules: from the facts of data, first weights and machine to the keys of a recipe, each with its reason.

They are rules of thumb of peers (nnU-Net, Ultralytics, AutoMM) and what was measured here; docs/training.md says which.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segcli.models.preprocessing import STRIDE, at_size
from segcli.training.partition.holdout import Held
from segcli.training.planning.fingerprint import Fingerprint, Size
from segcli.training.planning.machine import Machine
from segcli.training.planning.start import Start
from segcli.training.planning.upright import SAID

CPU_CROP, GPU_CROP = 257, 513
CPU_BATCH, GPU_BATCH = 4, 16
CPU_SIZE, GPU_SIZE = 1025, 2049
"""The largest working size that small things are given: it makes every later prediction slower too."""
OWN_STATISTICS = 16
"""From so many crops at once on, batch normalisation has statistics worth learning."""
RATE, GENTLE_RATE = 0.005, 0.0007
LEARNED_AT = 16
"""The output stride that the papers learn at (v3 paper, section 4.1)."""
LOVASZ = 1.0
"""How much Lovász-Softmax counts beside cross entropy."""
FEW, MANY = 8, 250
"""Fewer photos than FEW cannot spare one to be held out; of more than MANY a fixed number suffices."""
HELD_OUT, HELD_OUT_SHARE, FEWEST_HELD_OUT = 50, 0.2, 3
FOLDS = 5
"""The usual number of folds."""
RARE, VERY_RARE = 0.01, 0.001
STRIDES = 2
"""A region of fewer output strides a side is hardly seen by the network."""


@dataclass(frozen=True)
class Reason:
    """One decision of a plan.

    Attributes:
        topic: What it is about, such as "crop".
        taken: What was decided.
        why: Why.
        keys: The recipe's keys that say it, "table.key" -> value, the one that matters first; None leaves a key out.
    """

    topic: str
    taken: str
    why: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.taken}: {self.why}" if self.why else self.taken

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        keys = {key: value for key, value in self.keys.items() if value is not None}
        return {"topic": self.topic, "taken": self.taken, "why": self.why, "keys": keys}


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Attributes:
        data: One's own photos and labels.
        start: The first weights.
        machine: What it runs on.
        folds: The number of folds; 0 for none.
        apart: The number of photos to validate on that lie in a folder of their own; 0 where there is none.
        asked: The recipe's keys that the user has set, "table.key" -> value; rules that build on them look here.
        held: The photos that are held out, where that could be found out already.
    """

    data: Fingerprint
    start: Start
    machine: Machine
    folds: int = 0
    apart: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)
    held: Held | None = None

    @property
    def held_out(self) -> int:
        """The number of photos that are held out, or about so many; in each fold where there are folds."""
        return self.wanted if self.held is None else len(self.held.samples)

    @property
    def share(self) -> float:
        """The share of the photos that shall be held out, 0..1."""
        return self.asked.get("data.holdout", round(self.wanted / self.data.photos, 4))

    @property
    def wanted(self) -> int:
        """The number of photos that shall be held out: neighbours stay together, so that some more or fewer are."""
        photos = self.data.photos
        if self.apart or self.folds:
            return 0 if self.apart else photos // self.folds
        if "data.holdout" in self.asked:
            return round(self.asked["data.holdout"] * photos)
        if photos < FEW:
            return 0
        return HELD_OUT if photos > MANY else max(FEWEST_HELD_OUT, round(HELD_OUT_SHARE * photos))

    @property
    def learned(self) -> int:
        """The number of photos to learn from."""
        return self.data.photos - self.held_out

    @property
    def knows(self) -> bool:
        """Whether the first weights tell the classes already; a fresh classifier knows none."""
        return not self.is_fresh and self.start.knows(self.data.labels)

    @property
    def is_fresh(self) -> bool:
        """Whether another model is asked for than the first weights', so that all behind its backbone is fresh."""
        return self.asked.get("model.name") not in (None, "", self.start.about.spec.name)

    @property
    def thawed(self) -> bool:
        """Whether the backbone learns from the first step on."""
        return self.knows or self.asked.get("model.freeze_backbone") == 0


def decide(facts: Facts) -> tuple[Reason, ...]:
    """Every decision but those that follow from the time of a step."""
    size = working_size(facts)
    crop = crop_side(facts, facts.asked.get("data.size", size.keys["data.size"]))
    found = (first_weights(facts), hold_out(facts), size, crop, batch(facts), stride(facts), rate(facts), loss(facts))
    return tuple(reason for reason in (*found, focus(facts), turns(facts)) if reason is not None)


def first_weights(facts: Facts) -> Reason:
    """Which weights are started from, and what they know."""
    if facts.is_fresh:
        known = f"{facts.asked['model.name']} uses only their backbone, and all its other layers start new"
    elif facts.knows:
        known = "they know your classes"
    else:
        known = "they do not know your classes, so the last layer starts new"
    return Reason("first weights", facts.start.init, f"{facts.start.why}; {known}", {"model.init": facts.start.init})


def hold_out(facts: Facts) -> Reason:
    """How many photos are kept aside to score by."""
    photos, count = facts.data.photos, facts.held_out
    if facts.apart:
        return Reason("held out", f"{facts.apart} photos", "the photos of data.val_images")
    if facts.folds:
        why = f"each run holds out other photos, about {count} of {photos}; one more run learns from all photos"
        return Reason("held out", f"{facts.folds} folds", why, {"data.holdout_by": "group"})
    if not count:
        every = f"all {photos} photos are" if photos > 1 else "the only photo is"
        why = f"{every} needed to learn from, so the model gets no score"
        why += f"; --folds {min(photos, FOLDS)} gives it one" if photos > 1 else ""
        return Reason("held out", "no photo, not validated", why, {"data.holdout": 0.0})
    keys = {"data.holdout": facts.share, "data.holdout_by": "group"}
    why = "the model does not learn from them, and is scored on them"
    if facts.held:
        return Reason("held out", facts.held.count, f"{why}{facts.held.remarks}", keys)
    why = f"{why}; photos that belong together are all held out, or none of them"
    return Reason("held out", f"about {count} of {photos} photos", why, keys)


def working_size(facts: Facts) -> Reason:
    """The size that photos are shrunk to: the first weights' own, less for small photos, more for small things."""
    own, longest = facts.start.preprocessing, facts.data.longest_side
    if own.resize != "long":
        taken = f"{own.size} pixels" if own.size else "that of each photo"
        why = f"the first weights were trained so{_smallest(facts, None)}"
        return Reason("working size", taken, why, {"data.size": None})
    if rounded_up(longest) < own.size:
        size, why = rounded_up(longest), f"no photo has more than {longest} pixels on its longer side"
    else:
        size, why = _for_small_things(facts), "the size of the first weights"
        why = "larger than the size of the first weights, to see small things" if size > own.size else why
    keys = {"data.size": size if size != own.size else None, "data.pad": "stride" if own.pad == "square" else None}
    return Reason("working size", f"{size} pixels", why + _smallest(facts, keys["data.size"]), keys)


def _for_small_things(facts: Facts) -> int:
    """The working size at which the smallest class is seen, as far as photos and time allow."""
    own, needed = facts.start.preprocessing.size, STRIDES * facts.start.output_stride
    smallest = min(_regions(facts, None).values(), default=needed)
    if smallest >= needed:
        return own
    most = min(rounded_up(facts.data.longest_side), GPU_SIZE if facts.machine.has_gpu else CPU_SIZE)
    return max(own, min(most, rounded_up(math.ceil(own * needed / smallest))))


def _smallest(facts: Facts, size: int | None) -> str:
    """What to say where the regions of a class are too small for the network at that working size."""
    regions, needed = _regions(facts, size), STRIDES * facts.start.output_stride
    name = min(regions, key=regions.get, default="")
    if not name or regions[name] >= needed:
        return ""
    return (
        f"; regions of {name} are about {regions[name]:.0f} pixels wide at this size, "
        f"and the model hardly finds regions of less than {needed}"
    )


def _regions(facts: Facts, size: int | None) -> dict[str, float]:
    """The size of the regions of each class at a working size; None stands for the first weights' own."""
    from segcli.inference.transform import geometry

    preprocessing = at_size(facts.start.preprocessing, size)

    def resized(photo: Size) -> Size:
        return geometry(photo, preprocessing).resized

    return facts.data.region_sizes(resized)


def crop_side(facts: Facts, size: int | None) -> Reason:
    """The side of the crops that are learned from."""
    most = GPU_CROP if facts.machine.has_gpu else CPU_CROP
    working = min(facts.data.longest_side, size or facts.start.preprocessing.size or facts.data.longest_side)
    side = min(most, rounded_up(working))
    why = f"usual on a {_place(facts)}" if side == most else "as large as the photos"
    return Reason("crop", crop_words(side), why, crop_keys(side))


def crop_words(side: int) -> str:
    """The size of the crops in words."""
    return f"pieces of {side} x {side} pixels of the photos"


def crop_keys(side: int) -> dict[str, Any]:
    """How crops are made."""
    return {"augment.crop": side, "augment.scale": [0.5, 1.5], "augment.colour": 0.2}


def batch(facts: Facts) -> Reason:
    """The crops a step, and whether batch normalisation learns."""
    usual = GPU_BATCH if facts.machine.has_gpu else CPU_BATCH
    count = facts.asked.get("schedule.batch") or max(2, min(usual, facts.learned // 5))
    few = f"there {'is' if facts.learned == 1 else 'are'} only {_photos(facts.learned)} to learn from"
    why = f"usual on a {_place(facts)}" if count == usual else few
    return batch_of(facts, count, why)


def batch_of(facts: Facts, count: int, why: str) -> Reason:
    """The decision for so many crops a step."""
    frozen = count < OWN_STATISTICS and not facts.is_fresh
    why += f"; batch normalisation learns only from batches of {OWN_STATISTICS} or more" if frozen else ""
    workers = min(8, max(1, facts.machine.cores - 1)) if facts.machine.has_gpu else 1
    keys = {"schedule.batch": count, "model.freeze_bn": frozen, "run.workers": workers}
    return Reason("batch", f"{count} crops in each iteration", why, keys)


def stride(facts: Facts) -> Reason | None:
    """The output strides to learn and to predict at; None where there is no coarser one to learn at."""
    own, known = facts.start.output_stride, facts.start.about.spec.output_strides
    if own >= LEARNED_AT or LEARNED_AT not in known or "model.output_stride" in facts.asked:
        return None
    taken = f"{LEARNED_AT} pixels to learn, {own} to score and predict"
    keys = {"model.output_stride": LEARNED_AT, "model.eval_output_stride": own}
    return Reason(
        "output stride", taken, "learning at 16 takes about half the time, and predicting at 8 gives finer masks", keys
    )


def loss(facts: Facts) -> Reason | None:
    """What is made small; None: cross entropy alone, where the classes are known already."""
    if facts.knows:
        return None
    why = "for a high mean IOU, in which a small class counts as much as a large one"
    return Reason("loss", "cross entropy and Lovász-Softmax", why, {"loss.lovasz": LOVASZ})


def rate(facts: Facts) -> Reason:
    """The rate of learning."""
    if facts.knows:
        why = "the first weights know your classes, and a higher learning rate would change them too much"
        return Reason("rate", f"{GENTLE_RATE}", why, {"schedule.rate": GENTLE_RATE, "optimizer.clip": 1.0})
    why = "the learning rate that was best in trials with new classes"
    keys = {"schedule.rate": RATE, "optimizer.classifier_rate": 10.0, "optimizer.clip": 1.0}
    return Reason("rate", f"{RATE}, ten times that for the last layer", why, keys)


def focus(facts: Facts) -> Reason | None:
    """Which share of the crops is laid around classes drawn at random; None where all classes are common."""
    shares = {name: share for name, share in facts.data.shares.items() if share}
    name = min(shares, key=shares.get, default="")
    if not name or shares[name] >= RARE:
        return None
    share = 0.5 if shares[name] < VERY_RARE else 0.33
    why = f"{name} has only {100 * shares[name]:.2g} % of the pixels, and the model must see it often enough"
    taken = f"{100 * share:.0f} % of the crops show a class chosen at random, rare classes as often as others"
    return Reason("focus", taken, why, {"augment.focus": share})


def turns(facts: Facts) -> Reason:
    """Whether pictures are turned and mirrored every way, or only left and right."""
    upright = facts.data.upright
    told = upright.why == SAID
    if upright.has_up:
        why = f"the photos have a top and a bottom ({upright.why}){'' if told else '; if they have none, add --no-up'}"
        return Reason("mirrored", "left to right, not turned", why, {"augment.flip": True})
    keys = {"augment.flip_vertical": True, "augment.quarter_turns": True}
    why = f"the photos have no top and no bottom ({upright.why}){'' if told else '; if they have, add --up'}"
    return Reason("mirrored", "in all directions, and turned", why, keys)


def _photos(count: int) -> str:
    return f"{count} photo{'s' * (count != 1)}"


def _place(facts: Facts) -> str:
    return "GPU" if facts.machine.has_gpu else "processor"


def rounded_up(side: int) -> int:
    """The next 32 n + 1 pixels, at which every output stride has a whole feature map."""
    return max(2, -(-(side - 1) // STRIDE)) * STRIDE + 1
