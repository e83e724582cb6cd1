"""Writes the pattern of usernames and texts to match with it, one per line: python texts.py DOCUMENT PATTERN TEXTS

Each character of the Basic Multilingual Plane occurs alone, after a letter of each alphabet, and twice with a separator.
White space and control characters are left out: engines differ in which of them end a line, so that `$` matches before
them.
"""

import json
import sys
from pathlib import Path

document, pattern, texts = (Path(argument) for argument in sys.argv[1:])
schemas = json.loads(document.read_text(encoding="utf-8"))["components"]["schemas"]
pattern.write_text(schemas["RegisterRequest"]["properties"]["username"]["pattern"], encoding="utf-8")
characters = [chr(code) for code in range(0x21, 0x10000) if not 0x7F <= code <= 0xA0 and not 0xD800 <= code <= 0xDFFF]
forms = ("{0}", "a{0}", "α{0}", "б{0}", "ա{0}", "ა{0}", "{0}.{0}")
lines = [form.format(character) for character in characters if not character.isspace() for form in forms]
texts.write_text("\n".join(lines) + "\n", encoding="utf-8")
