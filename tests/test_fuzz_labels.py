import label_damage
import label_files
import label_fuzz
import pytest

from segcli.errors import SegcliError


@pytest.mark.parametrize("file", label_files.every_form(), ids=lambda file: f"{file.form} {file.path}")
def test_files_that_are_not_damaged_are_read(file, tmp_path):
    label_fuzz.read(label_fuzz.written(tmp_path, file, file.content), file)


def test_bombs_are_refused_before_they_go_off(tmp_path):
    by_form = {file.form: file for file in label_files.every_form() if file.kind in ("XML", "YAML")}
    for form, bombs in (("cvat", label_damage.XML_BOMBS[:4]), ("names", label_damage.YAML_BOMBS[:2])):
        file = by_form[form]
        for bomb in bombs:
            place = label_fuzz.written(tmp_path, file, bomb.encode() + file.content)
            with pytest.raises(SegcliError):
                label_fuzz.read(place, file)
