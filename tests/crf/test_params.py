import subprocess
import sys

import pytest

from segcli.crf.params import CRFParams
from segcli.errors import UsageError


def test_the_defaults_are_the_set_with_published_scores():
    assert CRFParams() == CRFParams(w1=4, sigma_alpha=67, sigma_beta=3, w2=3, sigma_gamma=1, iterations=10)


def test_toml_and_dict_lead_back(tmp_path):
    params = CRFParams(w1=4.5, sigma_alpha=55, sigma_beta=3.5, iterations=7)
    (tmp_path / "crf.toml").write_text(params.to_toml())
    assert CRFParams.from_toml(tmp_path / "crf.toml") == params == CRFParams.from_dict(params.to_dict())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sigma_beta": 0}, "0.1..10000"),
        ({"sigma_alpha": -3}, "sigma_alpha"),
        ({"sigma_gamma": float("nan")}, "nan"),
        ({"w1": float("inf")}, "inf"),
        ({"w2": -1}, "w2"),
        ({"w1": "4"}, "'4'"),
        ({"iterations": 2.5}, "whole number"),
        ({"iterations": True}, "True"),
        ({"sigma_alfa": 50}, "Did you mean sigma_alpha?"),
        ({"kernel": 1}, "Known: w1"),
    ],
)
def test_what_cannot_be_is_refused(values, said):
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        CRFParams.from_dict(values)


def test_a_broken_or_missing_file_is_a_usage_error(tmp_path):
    (tmp_path / "crf.toml").write_bytes(b"w1 = \xff")
    for path in (tmp_path / "crf.toml", tmp_path / "none.toml", tmp_path):
        with pytest.raises(UsageError, match=r"CRF settings"):
            CRFParams.from_toml(path)


def test_a_runs_record_is_no_settings(tmp_path):
    (tmp_path / "run.toml").write_text('segcli = "0.1.0"\n[crf]\nw1 = 4\n')
    with pytest.raises(UsageError, match=r"run\.toml is the record of a run") as caught:
        CRFParams.from_toml(tmp_path / "run.toml")
    assert "crf --tune" in caught.value.hint


def test_reading_settings_takes_no_torch():
    code = "import sys, segcli.crf.params; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
