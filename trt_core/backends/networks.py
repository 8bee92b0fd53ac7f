"""What every library of the TensorRT family does alike: parse a file into a network, take profiles."""

from __future__ import annotations

import glob
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trt_core.backends.causes import known_cause, one_sentence, parser_reason
from trt_core.backends.native_log import NativeLog, logger_of
from trt_core.backends.parser_errors import NativeParserError, parser_errors
from trt_core.backends.polygraphy_gate import polygraphy, polygraphy_exception
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, ValueRange
from trt_core.errors import InvalidProfile, ParseFailed


def parse_network(trt: Any, builder: Any, path: Path, log: NativeLog, *, flags: int = 0) -> Any:
    """The network of a file; ParseFailed with the parser's reason. `flags` are network creation flags."""
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger_of(trt))
    if not parser.parse_from_file(str(path.resolve())):
        raise _parse_failed(parser_errors(parser), path, log)
    if not network.num_layers:
        raise ParseFailed(
            f"{path.name} has no nodes to build.", remedy="Choose a file with a graph.", details=log.tail()
        )
    return network


def _parse_failed(found: list[NativeParserError], path: Path, log: NativeLog) -> ParseFailed:
    where = found[0].where if found else path.name
    known = known_cause(found[0].text) if found else None
    if known:
        return ParseFailed(f"{where}: {known.sentence}", remedy=known.remedy, details=log.tail())
    said = [parser_reason(error.text) for error in found[:1]] or [one_sentence(text) for text in log.errors()[:1]]
    reason = next(filter(None, said), "the parser refuses it and says no more.")
    remedy = "Ask for layer support: it says of every node what can be done."
    return ParseFailed(f"{where}: {reason}", remedy=remedy, details=log.tail())


def add_profile(builder: Any, config: Any, network: Any, profile: OptimizationProfile, *, title: str) -> Any:
    """Hand a profile to the library, and give its own form of it; InvalidProfile where it would drop it in silence."""
    wanted = polygraphy().Profile()
    for item in _ranges(profile):
        # Polygraphy takes a name for a pattern, in which a bracket is no bracket.
        wanted.add(glob.escape(item.tensor), item.min, item.opt, item.max)
    try:
        native = wanted.to_trt(builder, _named_inputs(network, profile))
    except polygraphy_exception() as error:
        raise _refused(profile, title) from error
    if config.add_optimization_profile(native) < 0:  # nothing is raised where the library does not take it
        raise _refused(profile, title)
    return native


def _named_inputs(network: Any, profile: OptimizationProfile) -> Any:
    """The inputs that a profile names, as a network: of the others the library shall speak, not Polygraphy.

    Polygraphy takes sizes for values where an input is a shape tensor, and values for sizes where it is none.
    """
    inputs = {tensor.name: tensor for tensor in map(network.get_input, range(network.num_inputs))}
    valued = {held.tensor for held in profile.values}
    named = [item.tensor for item in _ranges(profile)]
    for name in named:
        if name not in inputs:
            raise InvalidProfile(
                f"The network has no input {name!r} to give a profile for.", remedy=f"Its inputs: {', '.join(inputs)}."
            )
        if inputs[name].is_shape_tensor != (name in valued):
            wanted = "sizes" if name in valued else "values"
            raise InvalidProfile(
                f"Of input {name!r} a profile must give the {wanted}.",
                remedy="Values stand in brackets, sizes do not: size=[1x4]:[4x4]:[8x4], x=1x4:4x4:8x4.",
            )
    return SimpleNamespace(num_inputs=len(named), get_input=[inputs[name] for name in named].__getitem__)


def _ranges(profile: OptimizationProfile) -> tuple[ShapeRange | ValueRange, ...]:
    return (*profile.ranges, *profile.values)


def _refused(profile: OptimizationProfile, title: str) -> InvalidProfile:
    given = [f"{item.tensor} {item.min}..{item.opt}..{item.max}" for item in _ranges(profile)]
    return InvalidProfile(
        f"{title} refused the optimization profile {'; '.join(given) or 'without shapes'}.",
        remedy="Give every dynamic input min <= opt <= max.",
    )
