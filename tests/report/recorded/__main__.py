"""python -m tests.report.recorded FOLDER"""

import sys
from pathlib import Path

from tests.report.recorded import pack

if __name__ == "__main__":
    print(pack(Path(sys.argv[1])))
