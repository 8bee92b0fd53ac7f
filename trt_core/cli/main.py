"""The command line's border: arguments in, exit code out, errors as one line."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from trt_core.cli.answers import printable
from trt_core.cli.arguments import parser
from trt_core.cli.commands import COMMANDS, Answer, Console
from trt_core.cli.outputs import check_outputs
from trt_core.cli.present import finite
from trt_core.errors import JobCancelled, TrtCoreError
from trt_core.settings import settings_from
from trt_core.workbench import open_workbench


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code as the contract has it."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    _end_like_ctrl_c()
    try:
        check_outputs(options)
        bench = open_workbench(settings_from(workspace=options.workspace))
        answer = COMMANDS[options.command](bench, options, Console(quiet=options.quiet))
        _print(answer, as_json=options.json)
    except TrtCoreError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("Cancelled.", JobCancelled.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or ''}. Check the path and the disk.", 2)
    except Exception as error:
        if os.environ.get("ENGINESCOPE_DEBUG"):
            raise
        text = f"{type(error).__name__}: {error} This is a bug. Set ENGINESCOPE_DEBUG=1 to see where, and report it."
        return _fail(text, TrtCoreError.exit_code)
    return answer.exit_code


def _end_like_ctrl_c() -> None:
    """A terminal that closes, `timeout` and `docker stop` cancel what was asked for, as Ctrl-C does.

    What is ignored already stays so: `nohup` means it.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _cancelled)


def _cancelled(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(finite(answer.plain), allow_nan=False))
    else:
        print(printable("\n".join(answer.lines)))
    sys.stdout.flush()


def _fail(text: str, code: int) -> int:
    print("error: " + printable(" ".join(text.split())), file=sys.stderr)
    return code
