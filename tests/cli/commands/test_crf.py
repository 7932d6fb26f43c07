"""`segcli crf` on photos of two colours, whose outline the CRF must find, and on the CRF's public examples."""

import json
import shutil
import tomllib

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.cli.views import tuning as views
from segcli.crf import dense_crf, tuning
from segcli.crf.params import CRFParams
from segcli.errors import InputError
from segcli.images.masks import labels_of, write_label_map
from segcli.images.probabilities import read_probabilities, write_probabilities
from segcli.labels import from_names

LABELS = from_names(["left", "right"], "sides")
EDGE, GUESSED = 30, 36
"""Where the colour changes, and where the network thinks so."""
BLACK_IS_VOID = 'names = ["fir", "oak"]\npalette = [[0, 64, 0], [64, 128, 0]]\n'


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of short parallel sections: on a busy machine a second thread costs more than it brings."""
    torch.set_num_threads(1)


def write_photo(path, size=(60, 40)):
    picture = np.full((size[1], size[0], 3), 60, np.uint8)
    picture[:, EDGE:] = 180
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def guess(height=40, width=60, edge=GUESSED):
    probabilities = torch.full((2, height, width), 0.3)
    probabilities[0, :, :edge], probabilities[1, :, edge:] = 0.7, 0.7
    return probabilities


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Three photos in a tree with saved probabilities and truth."""
    monkeypatch.chdir(tmp_path)
    truth = np.zeros((40, 60), np.uint8)
    truth[:, EDGE:] = 1
    for name in ("a", "b", "trip/c"):
        write_photo(tmp_path / f"photos/{name}.png")
        write_probabilities(tmp_path / f"plain/probs/{name}.npz", guess().numpy(), LABELS)
        write_label_map(tmp_path / f"truth/{name}.png", truth, LABELS)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["crf", "photos", *map(str, arguments)])


def mask(path):
    return np.asarray(Image.open(path))


def found_edge(ids):
    """The column from which every row is of the right class, and before which none is."""
    columns = np.flatnonzero(ids[0] == 1)
    edge = int(columns[0]) if columns.size else ids.shape[1]
    assert np.array_equal(ids, np.tile(np.arange(ids.shape[1]) >= edge, (len(ids), 1)))
    return edge


class TestProbabilities:
    def test_are_refined_to_the_photos_outline(self, work):
        result = run("--probs", "plain")
        assert result.exit_code == 0, result.output
        assert "3 refined: refined" in result.stdout
        for name in ("a", "b", "trip/c"):
            assert found_edge(mask(work / f"refined/masks/{name}.png")) == EDGE
            assert (work / f"refined/overlays/{name}.jpg").is_file()

    def test_give_what_predict_gives(self, work):
        run("--probs", "plain", "--save", "mask,probs", "-o", "out")
        assert labels_of(work / "out/masks/a.png") == LABELS
        refined = dense_crf.refine(guess(), np.asarray(Image.open(work / "photos/a.png")), CRFParams())
        assert np.abs(read_probabilities(work / "out/probs/a.npz")[0] - refined.numpy()).max() < 1e-3
        settings = tomllib.loads((work / "out/run.toml").read_text())["crf"]
        assert settings == {**CRFParams().to_dict(), "size": 1024, "backend": "torch", "eps": dense_crf.EPS}
        assert json.loads(Image.open(work / "out/masks/a.png").text["segcli:crf"]) == settings
        assert (work / "out/areas.csv").read_text().startswith("image,class,pixels,percent\n")

    def test_the_folder_with_the_files_themselves_will_do(self, work):
        assert "3 refined" in run("--probs", "plain/probs").stdout

    def test_one_missing_and_one_damaged_file_do_not_stop_the_rest(self, work):
        (work / "plain/probs/a.npz").write_bytes(b"PK\x03\x04")
        (work / "plain/probs/b.npz").unlink()
        result = run("--probs", "plain")
        assert result.exit_code == 3
        assert "1 refined, 2 failed" in result.stdout
        assert "a.npz holds no probabilities" in result.stderr
        assert "photos/b.png: there are no probabilities of this photo" in result.stderr

    def test_sigmas_too_small_for_one_photo_do_not_stop_the_rest(self, work):
        colours = np.random.randint(0, 256, (1, 5000, 3), np.uint8)
        Image.fromarray(colours).save(work / "photos/b.png")
        write_probabilities(work / "plain/probs/b.npz", guess(1, 5000).numpy(), LABELS)
        result = run("--probs", "plain", "--crf-size", "full", "--crf-set", "sigma_alpha=0.1,sigma_beta=0.1")
        assert result.exit_code == 3
        assert "2 refined, 1 failed" in result.stdout
        assert "photos/b.png: the CRF's sigmas are too small for a photo of this size" in result.stderr

    def test_other_classes_are_a_failure_of_that_photo(self, work):
        write_probabilities(work / "plain/probs/b.npz", guess().numpy(), from_names(["up", "down"]))
        result = run("--probs", "plain", "--json", "--quiet")
        assert result.exit_code == 3
        failed = [image for image in json.loads(result.stdout)["images"] if image["error"]]
        assert [image["name"] for image in failed] == ["b"]
        assert "such as up" in failed[0]["error"]
        assert result.stderr.count("\n") == 1, "quiet says what failed and nothing else"

    def test_done_is_done_until_the_probabilities_or_the_settings_change(self, work):
        run("--probs", "plain")
        assert "0 refined, 3 done before" in run("--probs", "plain").stdout
        write_probabilities(work / "plain/probs/b.npz", guess(edge=33).numpy(), LABELS)
        assert "1 refined, 2 done before" in run("--probs", "plain").stdout
        assert "3 refined" in run("--probs", "plain", "--crf-set", "w1=3").stdout

    def test_at_a_smaller_size_and_at_the_photos_own(self, work):
        for size, blur in (("30", 2), ("full", 0)):  # one of 30 pixels is two of 60
            run("--probs", "plain", "--crf-size", size, "-o", f"at-{size}")
            ids = mask(work / f"at-{size}/masks/a.png")
            assert ids.shape == (40, 60)
            assert abs(found_edge(ids) - EDGE) <= blur
        assert tomllib.loads((work / "at-full/run.toml").read_text())["crf"]["size"] == 0

    def test_by_pydensecrf(self, work):
        pytest.importorskip("pydensecrf")
        run("--probs", "plain", "--crf-backend", "pydensecrf")
        assert found_edge(mask(work / "refined/masks/a.png")) == EDGE

    def test_single_settings_win_over_the_file(self, work):
        (work / "best.toml").write_text(CRFParams(w1=7, iterations=2).to_toml())
        run("--probs", "plain", "--crf-config", "best.toml", "--crf-set", "w1=0, w2=0")
        settings = tomllib.loads((work / "refined/run.toml").read_text())["crf"]
        assert (settings["w1"], settings["w2"], settings["iterations"]) == (0, 0, 2)
        assert found_edge(mask(work / "refined/masks/a.png")) == GUESSED, "kernels without weight change nothing"


class TestRoughLabels:
    @pytest.fixture
    def rough(self, work):
        """Scribbles: the middle is undecided."""
        ids = np.full((40, 60), 255, np.uint8)
        ids[:, :10], ids[:, 50:] = 0, 1
        for name in ("a", "b", "trip/c"):
            path = work / f"rough/{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(ids).save(path)
        return ids

    def test_void_means_no_opinion(self, work, rough):
        result = run("--labels", "rough", "--names", "left,right", "--gt-prob", "0.9")
        assert result.exit_code == 0, result.output
        assert found_edge(mask(work / "refined/masks/trip/c.png")) == EDGE

    def test_redrawn_is_not_done(self, work, rough):
        arguments = ("--labels", "rough", "--names", "left,right")
        run(*arguments)
        assert "3 done before" in run(*arguments).stdout
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(work / "rough/a.png")
        assert "1 refined, 2 done before" in run(*arguments).stdout
        assert not mask(work / "refined/masks/a.png").any()

    def test_other_classes_are_not_done(self, work, rough):
        run("--labels", "rough", "--names", "left,right")
        assert "3 refined" in run("--labels", "rough", "--names", "west,east").stdout
        assert labels_of(work / "refined/masks/a.png").names == ("west", "east")

    def test_in_colours(self, work, rough):
        colours = np.array([[0, 64, 0], [64, 128, 0], [0, 0, 0]], np.uint8)
        Image.fromarray(colours[np.minimum(rough, 2)]).save(work / "rough/a.png")
        drawn = Image.fromarray((2 - np.minimum(rough, 2)).astype(np.uint8))  # a drawing program's own numbering
        drawn.putpalette(colours[::-1].tobytes())
        drawn.save(work / "rough/b.png")
        drawn.save(work / "rough/trip/c.png")
        (work / "trees.toml").write_text(BLACK_IS_VOID)
        result = run("--labels", "rough", "--names", "trees.toml")
        assert result.exit_code == 0, result.output
        assert np.array_equal(mask(work / "refined/masks/a.png"), mask(work / "refined/masks/b.png"))
        assert found_edge(mask(work / "refined/masks/a.png")) == EDGE
        assert "read the colours of the masks' palettes" in result.stderr

    def test_what_cannot_be_used_fails_by_itself(self, work, rough):
        Image.new("L", (60, 41)).save(work / "rough/a.png")
        Image.new("RGB", (60, 40), (1, 2, 3)).save(work / "rough/b.png")
        (work / "rough/trip/c.png").unlink()
        write_photo(work / "photos/d.png")
        Image.fromarray(rough).save(work / "rough/d.png")
        result = run("--labels", "rough", "--names", "left,right")
        assert result.exit_code == 3
        assert "1 refined, 3 failed" in result.stdout
        for words in ("differ in size: 60 x 41 and 60 x 40", "b.png", "trip/c.png: it has no label map"):
            assert words in result.stderr

    def test_photos_of_one_name_need_the_map_of_their_own_folder(self, work, rough):
        write_photo(work / "photos/trip/a.png")
        result = run("--labels", "rough", "--names", "left,right")
        assert "photos/trip/a.png: it has no label map" in result.stderr
        assert result.exit_code == 3

    def test_maps_of_segcli_know_their_classes(self, work):
        assert run("--labels", "truth").exit_code == 0
        assert labels_of(work / "refined/masks/a.png") == LABELS

    def test_others_must_be_told(self, work, rough):
        rough[:, 20:30] = 2
        Image.fromarray(rough).save(work / "rough/a.png")
        result = run("--labels", "rough")
        assert result.exit_code == 2
        assert "--names" in result.stderr


@pytest.mark.shared
@pytest.mark.parametrize(
    ("number", "palette"),
    [
        (1, [[0, 64, 0], [64, 128, 0]]),
        (2, [[0, 128, 0], [0, 192, 0]]),
        (3, [[0, 128, 0], [64, 64, 0], [192, 128, 0]]),
    ],
)
def test_the_public_examples_come_out_as_published(shared_data, tmp_path, monkeypatch, number, palette):
    monkeypatch.chdir(tmp_path)
    for folder, kind in (("photos", "im"), ("rough", "anno")):
        (tmp_path / folder).mkdir()
        shutil.copy(shared_data / f"crf/{kind}{number}.png", tmp_path / folder / "example.png")
    (tmp_path / "set.toml").write_text(f"names = {[f'class {i}' for i in range(len(palette))]}\npalette = {palette}\n")
    settings = "w1=10,sigma_alpha=80,sigma_beta=13,w2=3,sigma_gamma=3,iterations=5"
    result = run("--labels", "rough", "--names", "set.toml", "--gt-prob", "0.7", "--crf-set", settings)
    assert result.exit_code == 0, result.output
    ours = np.asarray(Image.open(tmp_path / "refined/masks/example.png").convert("RGB"))
    published = np.asarray(Image.open(shared_data / f"crf/out{number}.png").convert("RGB"))
    assert (ours == published).all(2).mean() >= 0.998


class TestTuning:
    @pytest.fixture
    def tiny_grid(self, monkeypatch):
        defaults = ((1, 2), (20, 40), (13, 17))
        monkeypatch.setattr(tuning.Grid.__init__, "__defaults__", defaults)

    def test_finds_what_scores_best_and_writes_it(self, work, tiny_grid):
        arguments = ("--probs", "plain", "--tune", "--truth", "truth", "-o", "best.toml", "--crf-set", "iterations=2")
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        data = json.loads(result.stdout)
        assert len(data["tried"]) == 8 + 26
        assert data["miou"] == max(tried["miou"] for tried in data["tried"])
        assert data["photos"] == 3
        written = CRFParams.from_toml(work / "best.toml")
        assert written.to_dict() == data["best"]
        assert written.iterations == 2
        assert data["miou_without_crf"] == pytest.approx((30 / 36 + 24 / 30) / 2)
        assert "tuning 42/42" in result.stderr, "3 photos: once without CRF, and for 4 + 9 pairs of sigmas"
        table = run(*arguments).stdout
        assert table.split()[:4] == ["w1", "sigma_alpha", "sigma_beta", "mIOU"]
        assert "--crf-config best.toml" in table
        run("--probs", "plain", "--crf-config", "best.toml")
        assert tomllib.loads((work / "refined/run.toml").read_text())["crf"]["iterations"] == 2

    def test_works_at_the_size_asked_for_and_on_photos_with_truth_only(self, work, tiny_grid):
        (work / "truth/a.png").unlink()
        (work / "plain/probs/b.npz").unlink()
        result = run("--probs", "plain", "--tune", "--truth", "truth", "-o", "out", "--crf-size", "20", "--json")
        assert result.exit_code == 0, result.output
        assert "tuning on 1 of 3 photos" in result.stderr
        assert json.loads(result.stdout)["size"] == 20
        assert (work / "out/crf.toml").is_file()
        assert not (work / "out/masks").exists()

    @pytest.mark.parametrize(
        ("limit", "taken"), [(1, ["a"]), (2, ["a", "b"]), (3, ["a", "b", "c"]), (9, ["a", "b", "c"])]
    )
    def test_a_limit_takes_photos_evenly_over_the_list(self, work, monkeypatch, limit, taken):
        searched = []
        monkeypatch.setattr(views, "search", lambda display, job, files, truths: searched.extend(files))
        result = run("--probs", "plain", "--tune", "--truth", "truth", "-o", "best.toml", "--limit", str(limit))
        assert result.exit_code == 0, result.output
        assert [source.path.stem for source in searched] == taken
        said = f"--limit {limit}: the photos are taken evenly over the list of the 3 with truth"
        assert (said in result.stderr) == (limit < 3)

    def test_settings_that_do_not_fit_are_said(self, work, tiny_grid, monkeypatch):
        kernel = tuning.bilateral_kernel

        def refuse(photo, sigma_alpha, sigma_beta):
            if sigma_alpha < 30:
                raise InputError("the sigmas are too small")
            return kernel(photo, sigma_alpha, sigma_beta)

        monkeypatch.setattr(tuning, "bilateral_kernel", refuse)
        result = run("--probs", "plain", "--tune", "--truth", "truth", "-o", "best.toml", "--crf-set", "iterations=1")
        assert result.exit_code == 0, result.output
        assert "settings do not fit all photos: the sigmas are too small" in result.stderr
        assert CRFParams.from_toml(work / "best.toml").sigma_alpha >= 30

    def test_truth_of_another_size_is_named(self, work, tiny_grid):
        write_label_map(work / "truth/b.png", np.zeros((9, 9), np.uint8), LABELS)
        result = run("--probs", "plain", "--tune", "--truth", "truth", "-o", "best.toml")
        assert result.exit_code == 1
        assert "truth/b.png and its photo differ in size" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --probs or --labels"),
        (["--probs", "plain", "--labels", "truth"], "give either --probs or --labels"),
        (["--probs", "plain", "--names", "a,b"], "--names goes with --labels"),
        (["--probs", "nowhere"], "--probs nowhere is no folder"),
        (["--probs", "truth"], "has no probabilities of these photos"),
        (["--labels", "plain"], "has no labels of these photos"),
        (["--probs", "plain", "--tune"], "--tune needs --truth"),
        (["--probs", "plain", "--truth", "truth"], "--truth goes with --tune"),
        (["--probs", "plain", "--limit", "100"], "--limit goes with --tune"),
        (["--probs", "plain", "--tune", "--truth", "plain"], "has no true labels"),
        (["--labels", "truth", "--gt-prob", "1"], "--gt-prob must lie between 0 and 1"),
        (["--probs", "plain", "--save", "smell"], "--save smell"),
        (["--probs", "plain", "--crf-set", "w9=1"], "no setting called 'w9'"),
        (["--probs", "plain", "--crf-set", "w1"], "--crf-set w1: not a setting with a number"),
        (["--probs", "plain", "--crf-set", "iterations=2.5"], "not a setting with a whole number"),
        (["--probs", "plain", "--crf-set", "sigma_beta=0"], "sigma_beta must be a number in"),
        (["--probs", "plain", "--crf-config", "nowhere.toml"], "nowhere.toml"),
        (["--probs", "plain", "--crf-size", "0"], "--crf-size 0: not a size"),
        (["--probs", "plain", "--crf-backend", "cuda"], "--crf-backend cuda: not known"),
        (["--probs", "plain", "--device", "gpu"], "no device is called 'gpu'"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing_behind(work, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert not (work / "refined").exists()
