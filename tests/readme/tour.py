"""Runs the console blocks of a page in an empty folder and compares their output: python3 tour.py PAGE FOLDER

The command `vestibule` starts the server. Otherwise the server starts before the first command that needs it. A block
with a comment `<!-- not run: REASON -->` on the line before it is left out.
"""

import difflib
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

SERVER = "vestibule"
ADDRESS = "http://localhost:5000"
# The server prints one of these lines at the end of its start.
READY = "first user"
# How long the server may take to print a line, in seconds.
TIMEOUT = 30
END = "--- end of output ---"
MASKS = [
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "<token>"),
    (r"\bvst_r_[A-Za-z0-9_-]+", "<refresh token>"),
    (r"\bcurl/[0-9.]+", "<curl>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r'(?<=")[A-Za-z0-9_-]{43}(?=")', "<key>"),
    (r"(?<=The MAC of the last one is )[A-Za-z0-9_-]{43}$", "<MAC>"),
]


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text.strip())
    return text


def console_blocks(markdown: str) -> list[list[str]]:
    """The lines of the console blocks that are run."""
    blocks: list[list[str]] = []
    fence, before = "", ""
    is_run = False
    for line in markdown.splitlines():
        if fence:
            if line.strip() == fence:
                fence = ""
            elif is_run:
                blocks[-1].append(line)
        elif opening := re.match(r" *(`{3,}|~{3,}) *([^ `]*)[^`]*$", line):
            fence = opening[1]
            is_run = opening[2] == "console" and not re.match(r" *<!-- not run: ", before)
            if is_run:
                blocks.append([])
        before = line
    return blocks


def exchanges(markdown: str) -> list[tuple[str, str]]:
    """The commands of all console blocks, each with the output shown below it."""
    found: list[tuple[str, str]] = []
    for block in console_blocks(markdown):
        for part in re.split(r"^\$ ", "\n".join(block) + "\n", flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


class Server:
    """The server, and the lines that it has printed."""

    def __init__(self, folder: str) -> None:
        self.process = subprocess.Popen([SERVER], stdout=subprocess.PIPE, text=True, cwd=folder)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)

    def line(self) -> str:
        try:
            return self.lines.get(timeout=TIMEOUT)
        except queue.Empty:
            raise TimeoutError("the server prints no more lines") from None

    def wait_until_ready(self) -> None:
        while READY not in self.line():
            pass

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


class Tour:
    """A shell in the folder, and a server once one is needed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        pipe = subprocess.PIPE
        self.shell = subprocess.Popen(["bash"], stdin=pipe, stdout=pipe, text=True, cwd=folder)
        self.server: Server | None = None

    def run(self, command: str, lines: int) -> str:
        """What the command prints; the server's command prints this number of lines."""
        if command == SERVER:
            self.server = Server(self.folder)
            return "".join(self.server.line() for _ in range(lines))
        if self.server is None and ADDRESS in command:
            self.server = Server(self.folder)
            self.server.wait_until_ready()
        return self.type(command)

    def type(self, command: str) -> str:
        assert self.shell.stdin and self.shell.stdout
        self.shell.stdin.write(f"{command}\necho; echo '{END}'\n")
        self.shell.stdin.flush()
        lines: list[str] = []
        while (line := self.shell.stdout.readline()) != f"{END}\n":
            if not line:
                raise EOFError(f"the shell ended in: {command}")
            lines.append(line)
        return "".join(lines)

    def end(self) -> None:
        self.shell.kill()
        self.shell.wait()
        if self.server:
            self.server.stop()


def main(page: str, folder: str) -> int:
    Path(folder).mkdir(parents=True)
    commands = exchanges(Path(page).read_text(encoding="utf-8"))
    if not commands:
        print(f"{page} has no command to run")
        return 1
    wrong = 0
    tour = Tour(folder)
    try:
        for command, shown in commands:
            expected, actual = masked(shown), masked(tour.run(command, len(shown.splitlines())))
            if expected != actual:
                wrong += 1
                print(f"$ {command}")
                print("\n".join(difflib.unified_diff([expected], [actual], page, "printed", lineterm="")))
    finally:
        tour.end()
    print(f"{len(commands)} commands, {wrong} with another output")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
