"""What a Hugging Face Space starts: `python app/space.py` from the root of the repository."""

import sys
from pathlib import Path

# a Space runs this file as a script, so the folder above it is not on the path yet
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.main import serve
from app.settings import Settings

if __name__ == "__main__":
    serve(Settings())
