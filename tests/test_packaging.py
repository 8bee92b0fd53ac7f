from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
HASHED = ("requirements.txt", "requirements-test.txt", "requirements-gpu86.txt")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>(\d+!)?[A-Za-z0-9.]+)( ; (?P<marker>[^\\]+?))?( \\)?$")
HEAVY = ("streamlit", "tensorrt", "tensorrt_rtx", "onnx", "onnxruntime", "polygraphy", "pandas", "plotly")


def pins(name: str) -> dict[str, str]:
    """Package to version, of every line that is neither a comment nor a hash."""
    lines = (ROOT / name).read_text().splitlines()
    wanted = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "--hash="))]
    unpinned = [line for line in wanted if not PIN.match(line)]
    assert not unpinned, f"{name} has lines that pin nothing: {unpinned}"
    return {match["name"]: match["version"] for line in wanted if (match := PIN.match(line))}


def config() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / ".streamlit/config.toml").read_text())


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_to_one_version(name):
    assert pins(name)


@pytest.mark.parametrize("name", HASHED)
def test_every_pin_of_an_installable_set_carries_its_hashes(name):
    text = (ROOT / name).read_text()

    without = [
        package for package in pins(name) if not re.search(rf"^{package}==[^\n]*\\\n\s+--hash=", text, re.MULTILINE)
    ]

    assert without == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_name_no_registry_and_no_place_on_a_machine(name):
    body = "\n".join(line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#"))

    assert not re.search(r"://|--index|--extra|--find-links|--trusted|file:|@ ", body)


def test_test_tools_agree_with_the_versions_the_application_has():
    application, tools = pins("requirements.txt"), pins("requirements-test.txt")

    assert {name: tools[name] for name in tools.keys() & application.keys()} == {
        name: application[name] for name in tools.keys() & application.keys()
    }


def test_tensorrt_rtx_is_asked_for_only_where_it_has_a_wheel():
    lines = (ROOT / "requirements.txt").read_text().splitlines()

    rtx = [line for line in lines if line.startswith("tensorrt-rtx")]

    assert len(rtx) == 2
    assert all("platform_machine == 'x86_64' and sys_platform == 'linux'" in line for line in rtx)


def test_streamlit_of_the_metadata_is_the_streamlit_that_is_pinned():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert any(line.startswith(f"streamlit=={pins('requirements.txt')['streamlit']} ") for line in extras["app"])


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("server", "headless", True),
        ("server", "address", "127.0.0.1"),
        ("server", "fileWatcherType", "none"),
        ("server", "maxUploadSize", 512),
        ("server", "enableXsrfProtection", True),
        ("browser", "gatherUsageStats", False),
        ("browser", "serverAddress", "127.0.0.1"),
        ("client", "showSidebarNavigation", False),
        ("client", "toolbarMode", "viewer"),
        ("client", "showErrorDetails", "none"),
    ],
)
def test_the_dashboard_is_private_and_quiet_by_default(section, option, value):
    assert config()[section][option] == value


def test_streamlit_knows_every_setting():
    code = """
import json, tomllib
from streamlit import config
config.get_config_options(force_reparse=True)
def flat(table, prefix=""):
    for key, value in table.items():
        yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
wanted = dict(flat(tomllib.load(open(".streamlit/config.toml", "rb"))))
print(json.dumps({key: [value, config.get_option(key)] for key, value in wanted.items()}))
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    differing = {key: pair for key, pair in json.loads(answer.stdout).items() if pair[0] != pair[1]}

    assert differing == {}


def test_only_the_image_listens_beyond_this_machine():
    """The image is meant to be reached through a proxy; everything else stays on the loopback address."""
    files = [
        path
        for pattern in ("*.py", "Makefile", ".streamlit/*.toml", "scripts/*", "pages/**/*.py", "trt_core/**/*.py")
        for path in ROOT.glob(pattern)
        if path.is_file()
    ]

    wide = [str(path.relative_to(ROOT)) for path in files if re.search(r"0\.0\.0\.0|\[::\]", path.read_text())]

    assert wide == []


def test_importing_the_core_loads_nothing_heavy():
    code = f"import sys, trt_core; print([name for name in {HEAVY!r} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_importing_every_module_of_the_core_loads_neither_streamlit_nor_tensorrt():
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "trt_core").rglob("*.py")
        if path.name not in {"__main__.py", "__init__.py"}
    )
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"


def test_the_ci_runs_exactly_what_the_readme_calls_the_tests():
    script = ROOT / ".ci/run"

    assert script.read_text().rstrip().endswith("exec make test")
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("python", ["/nonexistent/python3.12"])
def test_a_python_that_does_not_suit_is_refused_in_one_line(python, tmp_path):
    answer = subprocess.run(
        [ROOT / "scripts/bootstrap.sh", tmp_path / "venv"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 3
    assert answer.stderr == f"error: PYTHON={python} is not a Python 3.11 to 3.13. Name one that is.\n"
    assert not (tmp_path / "venv").exists()


def test_a_browser_that_does_not_start_is_an_error_of_one_line(tmp_path):
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts/chromium.py"],
        env={"PATH": "", "ENGINESCOPE_CHROMIUM": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 3
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith(f"error: ENGINESCOPE_CHROMIUM={tmp_path / 'none'} does not start.")


def test_where_tools_cannot_be_brought_their_names_are_told_and_nothing_fails(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)

    answer = subprocess.run(
        [tmp_path / "python", ROOT / "scripts/judges.py"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stderr) == (0, "")
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["kubectl", "promtool", "docker-compose"]


@pytest.mark.parametrize("path", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_four_headings_and_fits_a_page(path):
    lines = path.read_text().splitlines()

    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]

    assert headings == ["Context", "Decision", "Alternatives", "Consequences"]
    assert len(lines) <= 40


def test_every_rule_that_the_linter_ignores_is_ignored_for_a_written_reason():
    text = (ROOT / "pyproject.toml").read_text()
    general = text.split("\nignore = [\n")[1].split("\n]\n")[0]

    assert [line for line in general.splitlines() if not re.match(r'\s+"[A-Z0-9]+", +# \S', line)] == []
