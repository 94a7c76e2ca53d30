"""Draws docs/pictures/terminal.png: the end of `make demo`, as it stands on the terminal."""

from __future__ import annotations

import html
import io

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from docs.pictures.browser import saved
from docs.pictures.demo import COLUMNS, swept

BACKGROUND, FOREGROUND = (13, 17, 23), (230, 237, 243)
# black, red, green, yellow, blue, magenta, cyan, white; each with at least 4.5 to 1 on the background
COLOURS = [
    (110, 118, 129),
    (255, 123, 114),
    (63, 185, 80),
    (210, 153, 34),
    (88, 166, 255),
    (188, 140, 255),
    (57, 197, 207),
    (230, 237, 243),
]
PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: transparent; width: 960px }
main { margin: 8px; background: rgb(BACKGROUND); border-radius: 10px; border: 1px solid #30363d; overflow: hidden }
header { height: 34px; background: #161b22; border-bottom: 1px solid #30363d; display: flex; align-items: center }
i { width: 12px; height: 12px; border-radius: 6px; margin-left: 8px; background: #30363d }
i:first-child { margin-left: 14px }
pre { margin: 0; padding: 14px 18px 18px; color: rgb(FOREGROUND); white-space: pre-wrap; overflow-wrap: anywhere;
  font: 13.5px/1.42 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; width: COLUMNSch }
b { font-weight: 700 } b.prompt { color: rgb(63, 185, 80) }
</style><main><header><i></i><i></i><i></i></header><pre><b class="prompt">$</b> <b>make demo</b>
TEXT</pre></main>"""


def page(text: str) -> str:
    console = Console(record=True, width=10 * COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in text.strip("\n").split("\n"):
        console.print(Text.from_ansi(line.rstrip()), soft_wrap=True)
    theme = TerminalTheme(BACKGROUND, FOREGROUND, COLOURS, COLOURS)
    code = console.export_html(theme=theme, inline_styles=True, code_format="{code}")
    values = {"BACKGROUND": BACKGROUND, "FOREGROUND": FOREGROUND}
    found = PAGE.replace("COLUMNS", str(COLUMNS)).replace("TEXT", code)
    for name, value in values.items():
        found = found.replace(f"rgb({name})", f"rgb{value}")
    return found


if __name__ == "__main__":
    print(saved("terminal", page(html.unescape(swept())), width=960, element="main"))
