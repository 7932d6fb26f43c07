import fuzz
import pytest


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused(tmp_path):
    outcomes = fuzz.run(60, 1, tmp_path)
    crashes = [crash for outcome in outcomes.values() for crash in outcome.crashes]
    assert not crashes, crashes[0]
    assert all(outcome.counts["refused"] > 5 for outcome in outcomes.values())
    assert sum(outcome.counts["read"] for outcome in outcomes.values()) > 50
