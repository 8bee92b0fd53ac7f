"""What every library of the TensorRT family does alike: parse a file into a network, take profiles and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trt_core.backends.causes import known_cause, one_sentence, parser_reason
from trt_core.backends.names import lookup
from trt_core.backends.native_log import NativeLog, logger_of
from trt_core.backends.parser_errors import NativeParserError, parser_errors
from trt_core.domain.profiles import OptimizationProfile
from trt_core.errors import InvalidProfile, ParseFailed, UnsupportedRequest


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


def set_tf32(trt: Any, config: Any, *, allowed: bool) -> None:
    """Allow TF32 or not: the libraries set the flag by default."""
    flag = lookup(trt, "BuilderFlag.TF32")
    if allowed:
        config.set_flag(flag)
    else:
        config.clear_flag(flag)


def limit_workspace(trt: Any, config: Any, workspace_mb: int, *, title: str) -> None:
    """Limit the scratch memory of tactics; a setter that refuses only writes to the log, so the value is read back."""
    pool, size_bytes = lookup(trt, "MemoryPoolType.WORKSPACE"), workspace_mb << 20
    config.set_memory_pool_limit(pool, size_bytes)
    if config.get_memory_pool_limit(pool) != size_bytes:
        raise UnsupportedRequest(
            f"{title} refused a workspace of {workspace_mb} MB.", remedy="Choose another size, or none."
        )


def add_profile(builder: Any, config: Any, profile: OptimizationProfile, *, title: str) -> Any:
    """Hand a profile to the library, and give its own form of it; InvalidProfile where it would drop it in silence."""
    native = builder.create_optimization_profile()
    for item in profile.ranges:
        native.set_shape(item.tensor, item.min, item.opt, item.max)
    for held in profile.values:
        native.set_shape_input(held.tensor, held.min, held.opt, held.max)
    # An impossible profile raises nothing: it is false, or gets the index -1.
    if not native or config.add_optimization_profile(native) < 0:
        given = [f"{item.tensor} {item.min}..{item.opt}..{item.max}" for item in profile.ranges]
        given += [f"{held.tensor} {held.min}..{held.opt}..{held.max}" for held in profile.values]
        raise InvalidProfile(
            f"{title} refused the optimization profile {'; '.join(given) or 'without shapes'}.",
            remedy="Give every dynamic input min <= opt <= max.",
        )
    return native
