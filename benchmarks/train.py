"""The speed of training beside the loop that one would write around the same network with torchvision's transforms.

pip install segmentation-models-pytorch     # for its own networks as a third contender; they are left out without it
python benchmarks/train.py                  # under 3 minutes on two quiet cores
python benchmarks/train.py --images photos --masks masks    # on masks of one's own: ids 0..20, and 255 for void
python benchmarks/train.py --busy 1         # beside a program that keeps one core busy

Crops of 257 pixels in batches of 4, batch normalisation frozen, as the recipe `finetune` has it. Each contender is a
process of its own, as it is for its user; they take turns in blocks of steps, each round in the reverse order, and all
of them wait while one works. Networks have random weights, with batch normalisation measured on photos. The plain
loop trains segcli's very network, built of torch's own layers.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from loops import BATCH, KINDS, PEERS, Task, draw_masks, serve

from segcli.cli.threads import SPINS

NAMES = {"segcli": "segcli", "plain": "the same network in a plain loop", "smp": "smp {} mobilenet_v2 in a plain loop"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(PEERS), help="of segcli, separated by commas")
    parser.add_argument("--images", type=Path, help="folder of photos (24 parts of examples/photos)")
    parser.add_argument("--masks", type=Path, help="folder of their masks (drawn)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of a block")
    parser.add_argument("--workers", type=int, default=1, help="processes that read photos, for each contender")
    parser.add_argument("--busy", type=int, default=0, help="programs that keep a core busy meanwhile")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


class Contender:
    """A training loop in a process of its own, which takes steps when told to.

    Attributes:
        multiply_adds: Of one crop, forward.
        seconds: Of a step, one number a block.
        cores: Seconds of processor time of a step, one number a block.
    """

    def __init__(self, kind: str, task: Task):
        places = ["--images", str(task.images), "--masks", str(task.masks), "--workers", str(task.workers)]
        command = [sys.executable, __file__, "--serve", kind, "--models", task.variant, *places]
        own = {"GOMP_SPINCOUNT": SPINS} if kind == "segcli" else {}  # as the program `segcli` sets it
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **own}, **pipes)
        self.multiply_adds = int(self._answer())
        self.seconds: list[float] = []
        self.cores: list[float] = []
        self.ask(2)  # to warm up

    def measure(self, steps: int) -> None:
        """Take a block of steps, and note the mean of their times."""
        seconds, cores = self.ask(steps)
        self.seconds.append(seconds / steps)
        self.cores.append(cores / steps)

    def ask(self, steps: int) -> tuple[float, float]:
        """Seconds and processor seconds of so many steps."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        seconds, cores, _ = map(float, self._answer().split())
        return seconds, cores

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _answer(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a training loop has failed; see above")
        return line


def compare(task: Task, rounds: int, steps: int) -> str:
    """A Markdown table of the contenders of a variant."""
    from measuring import table

    kinds = [kind for kind in KINDS if kind != "smp" or util.find_spec("segmentation_models_pytorch")]
    contenders: dict[str, Contender] = {}
    try:
        for kind in kinds:
            contenders[kind] = Contender(kind, task)
        order = list(contenders.values())
        for _ in range(rounds):
            for contender in order:
                contender.measure(steps)
            order.reverse()
    finally:
        for contender in contenders.values():
            contender.close()
    ours = contenders["segcli"]
    headings = ["", "billion multiply-adds a crop", "ms a step", "core-ms", "crops/s", "segcli is faster"]
    return table(headings, [_row(kind, task, contender, ours) for kind, contender in contenders.items()])


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many programs that keep a core busy, until the end of the block."""
    command = [sys.executable, "-c", "while True: pass"]
    programs = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _row(kind: str, task: Task, contender: Contender, ours: Contender) -> list[str]:
    seconds, cores = statistics.median(contender.seconds), statistics.median(contender.cores)
    faster = statistics.median(a / b for a, b in zip(contender.seconds, ours.seconds, strict=True))
    name = NAMES[kind].format(PEERS[task.variant])
    costs = f"{contender.multiply_adds / 1e9:.2f}", f"{1000 * seconds:.0f}", f"{1000 * cores:.0f}"
    return [name, *costs, f"{BATCH / seconds:.1f}", "" if contender is ours else f"{faster:.2f} times"]


def main() -> None:
    chosen = options()
    if chosen.serve:
        serve(chosen.serve, Task(chosen.models, chosen.images, chosen.masks, chosen.workers))
        return
    import measuring
    import pictures

    with tempfile.TemporaryDirectory(prefix="segcli-train-") as name, busy(chosen.busy):
        images, masks = chosen.images, chosen.masks
        if images is None or masks is None:
            images, masks = Path(name, "images"), Path(name, "masks")
            images.mkdir()
            draw_masks(pictures.folder_of_photos(pictures.EXAMPLES, images, 24), masks)
        libraries = ["torch", "torchvision", "segmentation-models-pytorch"]
        told = f"{chosen.rounds} rounds of {chosen.steps} steps, {chosen.busy} busy programs beside"
        print(f"{measuring.machine(libraries)}.\n{told}.\n", flush=True)
        for variant in chosen.models.split(","):
            task = Task(variant, images.resolve(), masks.resolve(), chosen.workers)
            print(f"### {variant}\n\n{compare(task, chosen.rounds, chosen.steps)}", flush=True)


if __name__ == "__main__":
    main()
