"""YAML by a library: no value is ever pasted into a manifest."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]


def yaml_text(*documents: Node, about: str = "") -> bytes:
    """The documents in the order given, keys in the order written; `about` opens the file as comments."""
    import yaml

    class _Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            """Repeat a value instead of pointing at it: people read these files."""
            del data
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            """Indent lists under their key."""
            del indentless
            super().increase_indent(flow, False)

    def multiline(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    _Dumper.add_representer(str, multiline)
    head = "".join(f"# {line}\n" for line in about.splitlines())
    parts = [yaml.dump(item, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110) for item in documents]
    return (head + "---\n".join(parts)).encode()
