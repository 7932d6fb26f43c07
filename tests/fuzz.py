"""Damages label files and looks that each is read or refused: `python tests/fuzz.py --count 2000 --kind JSON,ROI`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "helpers"))
    import label_fuzz

    label_fuzz.main()
