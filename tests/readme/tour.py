"""Runs the console blocks of a Markdown file in an empty folder and compares their output."""

import difflib
import re
import signal
import subprocess
import sys
from pathlib import Path

SERVER = "vestibule"
END = "--- end of output ---"
MASKS = [
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "<token>"),
    (r"\bvst_r_[A-Za-z0-9_-]+", "<refresh token>"),
    (r"\bcurl/[0-9.]+", "<curl>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r'(?<=")[A-Za-z0-9_-]{43}(?=")', "<key>"),
]


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text.strip()


def exchanges(markdown: str) -> list[tuple[str, str]]:
    """The commands of all console blocks, each with the output shown below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", markdown, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def type_into(shell: "subprocess.Popen[str]", command: str) -> str:
    assert shell.stdin and shell.stdout
    shell.stdin.write(f"{command}\necho; echo '{END}'\n")
    shell.stdin.flush()
    lines: list[str] = []
    while (line := shell.stdout.readline()) != f"{END}\n":
        if not line:
            raise EOFError(f"the shell ended in: {command}")
        lines.append(line)
    return "".join(lines)


def read_lines(server: "subprocess.Popen[str]", number: int) -> str:
    assert server.stdout
    return "".join(server.stdout.readline() for _ in range(number))


def main(readme: str, folder: str) -> int:
    Path(folder).mkdir(parents=True)
    tour = exchanges(Path(readme).read_text(encoding="utf-8"))
    if not tour or tour[0][0] != SERVER:
        print("the tour does not begin with the server")
        return 1
    pipes = {"stdout": subprocess.PIPE, "text": True, "cwd": folder}
    shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, **pipes)
    server = subprocess.Popen([SERVER], **pipes)
    wrong = 0
    try:
        for command, shown in tour:
            if command == SERVER:
                printed = read_lines(server, len(shown.splitlines()))
            else:
                printed = type_into(shell, command)
            expected, actual = masked(shown), masked(printed)
            if expected != actual:
                wrong += 1
                print(f"$ {command}")
                print("\n".join(difflib.unified_diff([expected], [actual], "README", "printed", lineterm="")))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
        shell.kill()
        shell.wait()
    print(f"{len(tour)} commands, {wrong} with another output")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
