"""
Draw how lines and policy flow, for README and docs: `python bench/flow_picture.py` writes docs/pictures/flow.svg.
"""

from pathlib import Path

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "flow.svg"
WIDTH, HEIGHT = 900, 330
BOXES = (
    # x, y, width, height, colour, lines
    (
        20,
        60,
        150,
        70,
        "#e3f2fd",
        ("Firewalls", "ASA, Firepower, PAN-OS,", "FortiOS, Check Point …"),
    ),
    (250, 60, 150, 70, "#e8f5e9", ("Log on disk", "every line, before", "anything acts on it")),
    (500, 20, 150, 44, "#fff8e1", ("Forwarder", "UDP, TCP, TLS")),
    (500, 76, 150, 44, "#fff8e1", ("Uploader", "lines about your lists")),
    (500, 132, 150, 44, "#fff8e1", ("Event reader", "who was blocked")),
    (730, 20, 150, 44, "#eceff1", ("SIEM",)),
    (730, 76, 150, 44, "#eceff1", ("Log service",)),
    (730, 132, 150, 44, "#eceff1", ("Reports, alarms",)),
    (730, 240, 150, 60, "#eceff1", ("Lists", "DNS, HTTPS, by hand")),
    (500, 240, 150, 60, "#fce4ec", ("Guard", "refuses what would", "lock somebody out")),
    (250, 240, 150, 60, "#fce4ec", ("Plan", "only the difference,", "in small steps")),
)
ARROWS = (
    (170, 95, 250, 95, "syslog"),
    (400, 85, 500, 42, ""),
    (400, 95, 500, 98, ""),
    (400, 105, 500, 154, ""),
    (650, 42, 730, 42, ""),
    (650, 98, 730, 98, ""),
    (650, 154, 730, 154, ""),
    (730, 270, 650, 270, ""),
    (500, 270, 400, 270, ""),
    (250, 270, 95, 130, "pushed, read back"),
)


def box(place: tuple[int, int, int, int], colour: str, lines: tuple[str, ...]) -> str:
    """A part: its name, and what it does in small letters."""
    x, y, width, height = place
    first = y + height / 2 + 5 - (len(lines) - 1) * 8
    texts = "".join(
        f'<text x="{x + width / 2}" y="{first + 16 * at}" text-anchor="middle" '
        f'font-size="{14 if at == 0 else 11}" {"font-weight=" + chr(34) + "bold" + chr(34) if at == 0 else ""}>{line}</text>'
        for at, line in enumerate(lines)
    )
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{colour}" stroke="#546e7a"/>{texts}'


def arrow(x: int, y: int, to_x: int, to_y: int, said: str) -> str:
    """From one part to another."""
    label = f'<text x="{(x + to_x) / 2 + (40 if to_y < y else 0)}" y="{(y + to_y) / 2 - 8}" text-anchor="middle" font-size="11">{said}</text>'
    line = f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="#546e7a" stroke-width="1.5" marker-end="url(#end)"/>'
    return line + (label if said else "")


def main() -> None:
    """Write the picture."""
    parts = [*(arrow(*one) for one in ARROWS), *(box(one[:4], *one[4:]) for one in BOXES)]
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#263238">\n'
        '<defs><marker id="end" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#546e7a"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
