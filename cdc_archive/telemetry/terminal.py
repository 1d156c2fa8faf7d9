"""Text from elsewhere on a terminal: shown, never obeyed."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""The text with whatever is no visible character or space escaped: ESC becomes `\x1b`.

    A table's name could otherwise move the cursor, change colours, or turn the line around.

    Args:
        text: any text.
        keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _escaped(one) for one in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
