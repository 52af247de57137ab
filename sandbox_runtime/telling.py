"""What can be told of an exception that foreign code raised, whose own methods cannot be relied on."""

from __future__ import annotations

from sandbox_runtime.result import type_name


def message_of(error: BaseException) -> str:
    """Its ``str``, whatever that does."""
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001 - __str__ is the program's and may raise anything
        return f"<its str raised {type_name(second)}>"


def line_in(file: str, error: BaseException) -> int | None:
    """The last line of ``file`` on its way, or the one that could not be compiled."""
    step = BaseException.__dict__["__traceback__"].__get__(error)
    if isinstance(error, SyntaxError) and error.filename == file and step is None:
        return error.lineno
    line = None
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            line = step.tb_lineno
        step = step.tb_next
    return line


def shortened(text: str, limit: int) -> str:
    """Head and tail of it, and UTF-8 whatever it holds."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n... {len(text) - limit} characters left out ...\n{text[-limit // 2 :]}"
    return text.encode(errors="backslashreplace").decode()
