import re
import sys
from pathlib import Path

pattern = re.compile(Path(sys.argv[1]).read_text(encoding="utf-8"))
texts = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
print("".join("1" if pattern.search(text) else "0" for text in texts))
