"""What a device can do at best: bytes and operations a second, measured or off its data sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trt_core.domain.precision import Precision
from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class DeviceRates:
    """The roofs of one device; a multiply-accumulate is two operations.

    `device` is one word or more of the name that the driver gives it (`H200`). `source` says where the figures come
    from, `conditions` under which they were taken: clocks, sizes, library.
    """

    device: str
    bandwidth_gb_s: float
    tera_ops: tuple[tuple[Precision, float], ...]
    source: str
    conditions: str = ""
    is_measured: bool = False

    def __post_init__(self) -> None:
        if not self.device.strip() or self.bandwidth_gb_s <= 0 or any(rate <= 0 for _, rate in self.tera_ops):
            raise InvalidInput(
                f"Rates of {self.device!r}: {self.bandwidth_gb_s} GB/s, {self.tera_ops}.",
                remedy="Name the device, and give rates above zero.",
            )

    @property
    def bytes_per_s(self) -> float:
        """Memory bandwidth."""
        return self.bandwidth_gb_s * 1e9

    def ops_per_s(self, precision: Precision) -> float | None:
        """Operations a second in that precision; None where it is not known."""
        rate = dict(self.tera_ops).get(precision)
        return rate * 1e12 if rate is not None else None

    @property
    def label(self) -> str:
        """`H200, measured: …` or `H200, data sheet, …`: what stands beside every roof."""
        kind = "measured: " if self.is_measured else ""
        return f"{self.device}, {kind}{self.source}" + (f" ({self.conditions})" if self.conditions else "")

    def is_of(self, device: str) -> bool:
        """True when the first word of this entry is a word of that device's name."""
        return self.device.upper().split()[0] in device.upper().replace("-", " ").replace("(", " ").split()


def _sheet(device: str, tb_s: float, tera_ops: tuple[float, float, float, float]) -> DeviceRates:
    fp32, tf32, fp16, int8 = tera_ops
    rates = {Precision.FP32: fp32, Precision.TF32: tf32, Precision.FP16: fp16, Precision.BF16: fp16}
    rates |= {Precision.INT8: int8, Precision.FP8: int8}
    known = tuple((precision, rate) for precision, rate in rates.items() if rate)
    return DeviceRates(
        device=device, bandwidth_gb_s=tb_s * 1000, tera_ops=known, source="data sheet, dense, without sparsity"
    )


# NVIDIA's data sheets: TB/s, then tera-operations a second in FP32, TF32, FP16 and INT8.
SHEETS: tuple[DeviceRates, ...] = (
    _sheet("H200", 4.8, (67, 495, 989, 1979)),
    _sheet("H100 SXM", 3.35, (67, 495, 989, 1979)),
    _sheet("A100 80GB", 2.039, (19.5, 156, 312, 624)),
    _sheet("A10", 0.6, (31.2, 62.5, 125, 250)),
    _sheet("L4", 0.3, (30.3, 60, 121, 242)),
    _sheet("T4", 0.32, (8.1, 0, 65, 130)),
)
# What a device really reached, by this project's own measurement; it is preferred to the data sheet.
MEASURED: tuple[DeviceRates, ...] = (
    DeviceRates(
        device="H200",
        bandwidth_gb_s=4220.0,
        tera_ops=((Precision.FP32, 51.3), (Precision.TF32, 350.5), (Precision.FP16, 742.2), (Precision.INT8, 1557.0)),
        source="TensorRT 8.6.0 on NVIDIA H200",
        conditions=(
            "copies of 1024 MiB, median of 20; 1x1 convolutions of 16x2048x32x32 to 2048 channels, the fastest of 4 "
            "layers, mean of 50 runs"
        ),
        is_measured=True,
    ),
)


def rates_of(device: str, *, measured: Sequence[DeviceRates] | None = None) -> DeviceRates | None:
    """The rates of a device by its name: measured ones, else its data sheet's; None for a device not known."""
    known = (*(MEASURED if measured is None else measured), *SHEETS)
    return next((rates for rates in known if rates.is_of(device)), None)
