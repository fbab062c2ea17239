"""What docs/conventions.md says and a script can see."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("transports", "producer", "worker", "stack", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PROGRAM_FILES = [path for path in FILES if "tests" not in path.relative_to(ROOT).parts]

MOST_LINES = 250
MOST_FUNCTION_LINES = 40
REFUSED_NAMES = {"utils", "util", "common", "helpers", "misc"}
REGISTRIES = (
    r"p[y]pi\.org|python[h]osted|m[a]ven\.org|maven\.apac[h]e|n[p]mjs\.|debia[n]\.org|golan[g]\.org|crate[s]\.io"
)


def name_of(path: Path) -> str:
    """Return a path as a person reads it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PROGRAM_FILES, ids=name_of)
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    """And so is each function; a name that says nothing is refused."""
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(tree), "a module begins with a line that says what it is for"
    assert path.stem not in REFUSED_NAMES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            lines = body_lines(node)
            assert lines <= MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"


def body_lines(function: ast.FunctionDef) -> int:
    """Count a function's lines without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", PROGRAM_FILES, ids=name_of)
def test_everything_public_has_a_docstring(path: Path) -> None:
    """One imperative line at least."""
    for owner in ast.walk(ast.parse(path.read_text())):
        if not isinstance(owner, (ast.Module, ast.ClassDef)) or getattr(owner, "name", "").startswith("_"):
            continue
        for node in owner.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if is_overload(node) or (isinstance(owner, ast.ClassDef) and is_protocol_member(owner, node)):
                    continue
                assert ast.get_docstring(node), f"{node.name} has no docstring"


def is_overload(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it is only another signature of what follows."""
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def is_protocol_member(owner: ast.ClassDef, node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a name alone says enough: a member of a protocol, an overload, an override of a library's method."""
    bases = {getattr(base, "id", "") for base in owner.bases}
    return "Protocol" in bases or "Collector" in bases or node.name in ("run", "collect", "close")


@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("test_")], ids=name_of)
def test_every_test_says_what_it_is_about(path: Path) -> None:
    """A name that is a sentence, and a docstring."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
            assert node.name.count("_") >= 3, f"{node.name} is no sentence"


def test_a_face_holds_nothing_but_names() -> None:
    """A docstring, imports, the sentence about a missing extra, and ``__all__``."""
    faces = [
        path for path in (ROOT / "transports").rglob("__init__.py") if path.parent.name not in ("cli", "transports")
    ]
    for face in faces:
        for node in ast.parse(face.read_text()).body:
            kinds = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.Try, ast.Delete)
            assert isinstance(node, kinds), f"{name_of(face)}: {type(node).__name__}"


def test_no_file_names_a_package_registry() -> None:
    """Coordinates only; the clients know the addresses."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    files = [ROOT / name for name in tracked] or FILES
    guilty = [
        name_of(path) for path in files if path.is_file() and re.search(REGISTRIES, path.read_text("utf-8", "replace"))
    ]
    assert guilty == []


DOORS = {
    "kombu": {"broker", "messaging", "jobs", "examples"},
    "prometheus_client": {"runtime"},
    "urllib3": {"zipkin"},
    "isal": {"spans"},
    "flask": {"producer", "examples"},
}


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports, by their whole names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def room_of(path: Path) -> str:
    """Return the room of the library, or the program, that a file belongs to."""
    parts = path.relative_to(ROOT).parts
    return parts[2] if parts[0] == "transports" else parts[0]


@pytest.mark.parametrize("path", PROGRAM_FILES, ids=name_of)
def test_a_room_uses_the_faces_of_the_others(path: Path) -> None:
    """Never what lies behind them; and each outside library has its door."""
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] == "kombu_zipkin" and len(parts) > 2:
            assert parts[1] == room_of(path), f"{module} lies behind the face of {parts[1]}"
        doors = DOORS.get(parts[0])
        if doors is not None and room_of(path) != "benchmarks":
            assert room_of(path) in doors, f"{parts[0]} is for {', '.join(sorted(doors))}"
