"""The modules of a project in this process.

A project's modules have short names (`workflows.signup`), so one project is imported at a time: loading another one, or the
same one again, first forgets what was imported before.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from keystroke.authoring.code_version import DEFINITION_FOLDERS
from keystroke.errors import ProjectProblem

#: Not imported with a project, though they lie in its folder.
_NOT_IMPORTED: Final = frozenset({"tests", "test", "conftest", "setup"})

#: Folders that are on `sys.path` because a project was loaded.
_sources: list[str] = []


@contextmanager
def exclusive_imports(source: Path) -> Iterator[None]:
    """Import from this source alone; when it goes wrong, everything is as it was before."""
    earlier_path, earlier_sources = list(sys.path), list(_sources)
    forgotten = _forget([*_sources, str(source)])
    sys.path[:] = [str(source), *(entry for entry in sys.path if entry not in _sources)]
    _sources[:] = [str(source)]
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        _forget([str(source)])
        sys.path[:], _sources[:] = earlier_path, earlier_sources
        sys.modules.update(forgotten)
        raise


def import_definitions(source: Path) -> list[ProjectProblem]:
    """Import every module of the folders of definitions; gives what went wrong, at the line of the project's code."""
    problems = []
    _make_namespaces(source)
    for path in sorted(_definition_files(source)):
        name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        if not path.stem.isidentifier():
            message = f"{path.stem!r} cannot be imported by name: use letters, digits and underscores"
            problems.append(ProjectProblem(str(path), None, message))
            continue
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the author's code raises is reported
            problems.append(_problem(error, source, path))
    return problems


def project_modules(source: Path) -> dict[str, ModuleType]:
    """The imported modules whose files lie in the source, by name."""
    return _modules_in([str(source)])


def name_clashes(source: Path) -> list[ProjectProblem]:
    """Top-level modules of the source that hide one of Python's own, or an installed one."""
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != source]
    problems = []
    for path in sorted(_top_level(source)):
        name = path.stem
        if name in sys.stdlib_module_names:
            problems.append(_clash(path, name, "Python's standard library"))
        elif origin := _installed_at(name, elsewhere):
            problems.append(_clash(path, name, f"an installed package ({origin})"))
    return problems


def _make_namespaces(source: Path) -> None:
    # By itself Python prefers a regular package of that name, wherever it is installed, to a folder without __init__.py.
    for name in DEFINITION_FOLDERS:
        folder = source / name
        if folder.is_dir() and not (folder / "__init__.py").exists():
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(folder)]
            sys.modules[name] = importlib.util.module_from_spec(spec)


def _clash(path: Path, name: str, other: str) -> ProjectProblem:
    return ProjectProblem(
        str(path), None, f"the name {name!r} hides the module of that name in {other}: rename it"
    )


def _installed_at(name: str, search: list[str]) -> str | None:
    path, known = list(sys.path), sys.modules.pop(name, None)
    sys.path[:] = search
    try:
        spec = importlib.util.find_spec(name)
    finally:
        sys.path[:] = path
        if known is not None:
            sys.modules[name] = known
    return spec.origin if spec else None


def _top_level(source: Path) -> Iterator[Path]:
    for path in source.iterdir():
        is_module = (
            path.suffix == ".py" or path.name in DEFINITION_FOLDERS or (path / "__init__.py").is_file()
        )
        if is_module and path.stem not in _NOT_IMPORTED and not path.name.startswith("_"):
            yield path


def _definition_files(source: Path) -> Iterator[Path]:
    for top in DEFINITION_FOLDERS:
        for folder, subfolders, names in os.walk(source / top):
            subfolders[:] = [name for name in subfolders if not name.startswith(("_", "."))]
            for name in names:
                if name == "__init__.py" or (name.endswith(".py") and not name.startswith(("_", "."))):
                    yield Path(folder, name)


def _problem(error: BaseException, source: Path, path: Path) -> ProjectProblem:
    message = f"{type(error).__name__}: {str(error).split(chr(10) * 2)[0]}"
    if isinstance(error, SyntaxError) and error.filename and _lies_in(error.filename, [str(source)]):
        return ProjectProblem(error.filename, error.lineno, f"{type(error).__name__}: {error.msg}")
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _lies_in(frame.f_code.co_filename, [str(source)]):
            return ProjectProblem(frame.f_code.co_filename, line, message)
    return ProjectProblem(str(path), None, message)


def _forget(sources: list[str]) -> dict[str, ModuleType]:
    forgotten = _modules_in(sources)
    # A folder without __init__.py is a module without a file, which finds its parts anew on a changed path.
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in DEFINITION_FOLDERS and getattr(module, "__file__", None) is None:
            forgotten[name] = module
    for name in forgotten:
        del sys.modules[name]
    return forgotten


def _modules_in(sources: list[str]) -> dict[str, ModuleType]:
    modules = {name: module for name, module in sys.modules.items() if name != "__main__"}
    return {name: module for name, module in modules.items() if _lies_in(_file(module), sources)}


def _file(module: ModuleType) -> str:
    # Namespace packages have no file; what else has none was not imported from a source.
    return getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")


def _lies_in(file: str, sources: list[str]) -> bool:
    return any(_is_own(file, source) for source in sources)


def _is_own(file: str, source: str) -> bool:
    if not file.startswith(source + os.sep):
        return False
    parts = Path(file[len(source) + 1 :]).parts
    is_foreign = any(part.startswith(".") or part == "site-packages" for part in parts)
    return not is_foreign and parts[0].removesuffix(".py") not in _NOT_IMPORTED
