"""What is made from values that never change is made once, for all readers and reruns."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pages.ui.chart import TEXT, figure_text

Given = ParamSpec("Given")
Made = TypeVar("Made")


class ByValue:
    """Arguments of this kind are hashable, and told apart by value like plain ones."""


_BY_VALUE = (str, int, float, bool, frozenset, type(None), ByValue)


def once(most: int) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Keep the `most` results used last; neither they nor the arguments may be changed afterwards.

    Plain arguments are told apart by value, others by identity: hashing a run of thousands of layers would take longer
    than drawing it. The arguments are kept with the result, so that no other object can take over their identity.
    """

    def wrap(make: Callable[Given, Made]) -> Callable[Given, Made]:
        held: OrderedDict[tuple[Any, ...], tuple[Any, Made]] = OrderedDict()
        lock = threading.Lock()
        gates: dict[tuple[Any, ...], threading.RLock] = {}

        @wraps(make)
        def made(*args: Given.args, **kwargs: Given.kwargs) -> Made:
            key = tuple(_mark(value) for value in (*args, *sorted(kwargs), *(kwargs[name] for name in sorted(kwargs))))
            with lock:
                if key in held:
                    held.move_to_end(key)
                    return held[key][1]
                gate = gates.setdefault(key, threading.RLock())
            with gate:  # ten readers who come at once wait for the first one's result
                with lock:
                    if key in held:
                        return held[key][1]
                try:
                    result = make(*args, **kwargs)
                    with lock:
                        held[key] = ((args, kwargs), result)
                        while len(held) > most:
                            held.popitem(last=False)
                finally:
                    with lock:
                        gates.pop(key, None)
                return result

        return made

    return wrap


def figure_once(most: int) -> Callable[[Callable[Given, Any]], Callable[Given, Any]]:
    """The same for a Plotly figure that nobody changes afterwards, and its text for the browser made once, too.

    It is asked for in every run, and to copy thousands of words out of a figure takes longer than all the rest.
    """

    def wrap(make: Callable[Given, Any]) -> Callable[Given, Any]:
        @once(most)
        @wraps(make)
        def made(*args: Given.args, **kwargs: Given.kwargs) -> Any:
            figure = make(*args, **kwargs)
            figure.__dict__[TEXT] = figure_text(figure)
            return figure

        return made

    return wrap


def _mark(value: object) -> tuple[str, object]:
    return (type(value).__name__, value) if isinstance(value, _BY_VALUE) else ("", id(value))
