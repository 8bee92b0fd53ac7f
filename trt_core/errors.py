"""Every error that the core raises on purpose.

    TrtCoreError
    ├── InvalidInput           bad input or usage                                 exit 2
    │   ├── UnreadableModel    not an ONNX file, broken, or pointing outside
    │   ├── InvalidData        calibration, validation or benchmark data
    │   │   └── UnreadableRecording   files of an engine that was recorded elsewhere
    │   ├── InvalidProfile     an optimization profile that cannot be built
    │   ├── UnsupportedRequest a combination that the backend does not know
    │   └── NotFound           an id, a node or a file that is not there
    ├── Unavailable            something needed is missing                        exit 3
    │   ├── DependencyMissing  a package is not installed
    │   └── GpuUnavailable     no GPU, or no driver
    ├── JobError               a job could not do its work                        exit 4
    │   ├── JobFailed          it ran and failed; the message names the log
    │   ├── JobLost            its process is gone
    │   └── JobCancelled       somebody asked it to stop                          exit 130
    ├── StoreError             the workspace refused                              exit 4
    │   ├── ArtifactCorrupt    stored bytes differ from their hash
    │   └── QuotaExceeded      the disk, or the workspace's share of it, is full
    └── BackendError           a library failed; its own words are kept           exit 4
        ├── ParseFailed        the ONNX parser refused the model
        └── BuildFailed        the compiler gave no engine

A message says what, with which value; `remedy` says what to do. Programming mistakes stay ValueError and TypeError.
"""

from __future__ import annotations

from typing import ClassVar


class TrtCoreError(Exception):
    """The root: anything that a user can be told about."""

    exit_code: ClassVar[int] = 4
    title: ClassVar[str] = "The request failed"

    def __init__(self, message: str, *, remedy: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process pools: keyword-only fields would be lost by the default protocol.
        return (_rebuilt, (type(self), self.message, self.remedy, self.details))


def _rebuilt(kind: type[TrtCoreError], message: str, remedy: str, details: str) -> TrtCoreError:
    return kind(message, remedy=remedy, details=details)


class InvalidInput(TrtCoreError):
    """Bad input or usage."""

    exit_code = 2
    title = "The input cannot be used"


class UnreadableModel(InvalidInput):
    """The file is not an ONNX model that can be read safely."""

    title = "The model cannot be read"


class InvalidData(InvalidInput):
    """Sample data do not fit the model."""

    title = "The data do not fit the model"


class UnreadableRecording(InvalidData):
    """Files of an engine that was recorded elsewhere cannot be read."""

    title = "The recording cannot be read"


class InvalidProfile(InvalidInput):
    """An optimization profile cannot be built."""

    title = "The optimization profile is not valid"


class UnsupportedRequest(InvalidInput):
    """The backend does not know this combination."""

    title = "The backend does not support this request"


class NotFound(InvalidInput):
    """There is nothing under that id or name."""

    title = "Not found"


class Unavailable(TrtCoreError):
    """This machine lacks something."""

    exit_code = 3
    title = "Not available on this machine"


class DependencyMissing(Unavailable):
    """A package is not installed."""


class GpuUnavailable(Unavailable):
    """There is no GPU, or no driver for it."""


class JobError(TrtCoreError):
    """A job could not do its work."""

    title = "The job did not finish"


class JobFailed(JobError):
    """The job ran and failed."""

    title = "The job failed"


class JobLost(JobError):
    """The process of the job is gone."""

    title = "The job was lost"


class JobCancelled(JobError):
    """Somebody asked the job to stop."""

    exit_code = 130
    title = "The job was cancelled"


class StoreError(TrtCoreError):
    """The workspace refused."""

    title = "The workspace refused"


class ArtifactCorrupt(StoreError):
    """Stored bytes differ from their hash."""


class QuotaExceeded(StoreError):
    """The disk, or the workspace's share of it, is full."""

    title = "The workspace is full"


class BackendError(TrtCoreError):
    """A library failed; its own words are in `details`."""

    title = "The backend failed"


class ParseFailed(BackendError):
    """The ONNX parser refused the model."""

    title = "The parser refused the model"


class BuildFailed(BackendError):
    """The compiler gave no engine."""

    title = "The build failed"
