"""Damages files of every kind that the tool reads, and looks that each is read or refused: `helpers/fuzz.py` says how.

python tests/fuzz.py --count 100000 --minutes 30
python tests/fuzz.py --count 2000 --kind JPEG,TIFF
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "helpers"))
    import fuzz

    fuzz.main()
