"""Names in Python by which code reaches beyond a bundle: other files, processes, the network, the interpreter.

A list can't hold all of these. What isn't in it is therefore no note but a warning: only what is known to be harmless
is a note.
"""

import ast
from collections.abc import Iterator, Mapping

PROCESSES = "starts another program"
NETWORK = "talks to other machines"
FILES = "writes, moves or removes files"
PICKLES = "reads files that may run code"
CODE = "runs or reaches code that isn't written out"
DANGERS: dict[str, str] = {
    **dict.fromkeys(("subprocess", "multiprocessing", "pty", "os.system", "os.popen", "os.fork", "os.kill"), PROCESSES),
    **dict.fromkeys(("os.posix_spawn", "os.startfile", "posix", "nt", "signal", "asyncio"), PROCESSES),
    **dict.fromkeys((f"os.{how}{end}" for how in ("exec", "spawn") for end in ("l", "le", "lp", "v", "ve")), PROCESSES),
    **dict.fromkeys(("os.execvp", "os.execvpe", "os.spawnvp", "os.execlpe"), PROCESSES),
    **dict.fromkeys(("socket", "urllib", "requests", "http", "ftplib", "smtplib", "webbrowser", "httpx"), NETWORK),
    **dict.fromkeys(("torch.hub", "monai.apps.download_url", "monai.apps.utils.download_url", "gdown"), NETWORK),
    **dict.fromkeys(
        ("monai.bundle.download", "monai.bundle.load", "huggingface_hub", "torch.utils.model_zoo"), NETWORK
    ),
    **dict.fromkeys(("monai.apps.download_and_extract", "monai.apps.utils", "monai.bundle.scripts.download"), NETWORK),
    **dict.fromkeys(("shutil", "os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.rename", "os.open"), FILES),
    **dict.fromkeys(("os.replace", "os.chmod", "os.symlink", "os.link", "os.write", "os.truncate", "open"), FILES),
    **dict.fromkeys(("io.open", "io.FileIO", "builtins.open", "zipfile", "tarfile", "tempfile", "_io"), FILES),
    **dict.fromkeys(("pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torch.load"), PICKLES),
    **dict.fromkeys(("torch.jit.load", "numpy.load", "np.load", "pandas.read_pickle", "yaml.load"), PICKLES),
    **dict.fromkeys(("eval", "exec", "compile", "__import__", "getattr", "setattr", "delattr", "globals"), CODE),
    **dict.fromkeys(("locals", "vars", "input", "breakpoint", "builtins", "__builtin__", "importlib", "runpy"), CODE),
    **dict.fromkeys(("code", "codeop", "pydoc", "ctypes", "cffi", "sys.modules", "sys.path", "sys.meta_path"), CODE),
    **dict.fromkeys(("torch.ops.load_library", "torch.utils.cpp_extension", "torch.compile", "operator"), CODE),
    **dict.fromkeys(("monai.bundle.run", "monai.bundle.scripts", "monai.bundle.create_workflow"), CODE),
    **dict.fromkeys(("monai.bundle.ConfigParser", "monai.utils.optional_import", "monai.utils.module"), CODE),
    **dict.fromkeys(("os.environ", "os.putenv", "gc", "types", "functools.reduce", "bdb", "pdb", "timeit"), CODE),
}
"""Names, or the first parts of names, and what they do."""
METHODS: dict[str, str] = {
    **dict.fromkeys(("system", "popen", "Popen", "check_output", "check_call"), PROCESSES),
    **dict.fromkeys(("urlopen", "urlretrieve"), NETWORK),
    **dict.fromkeys(("unlink", "rmdir", "rmtree", "write_text", "write_bytes", "extractall", "tofile"), FILES),
    **dict.fromkeys(("f_globals", "f_builtins", "gi_frame", "cr_frame"), CODE),
}
"""The same of methods, whatever they are of."""


def find_danger(name: str) -> str:
    """What a dotted name does beyond the bundle, "" where nothing is known of it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        if said := DANGERS.get(".".join(parts[:count])):
            return said
    if any(part.startswith("__") and part.endswith("__") for part in parts):
        return CODE
    return METHODS.get(parts[-1], "")


def find_dangers(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, name and effect of all that reaches beyond the bundle in a piece of Python, each name once a line.

    Args:
        tree: parsed, never compiled.
    """
    names = dict(_list_aliases(tree))
    seen: set[tuple[int, str]] = set()
    # What stands inside a longer name that was found is no second one.
    for node in ast.walk(tree):
        name, line = _name(node, names), getattr(node, "lineno", 1)
        said = find_danger(name) if name else ""
        if said and not any(at == line and other.startswith(name) for at, other in seen) and not _is_safe(node, tree):
            seen.add((line, name))
            yield line, name, said


def _list_aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What names that imports make stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((item.asname, item.name) for item in node.names if item.asname)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((item.asname or item.name, f"{node.module}.{item.name}") for item in node.names)


def _name(node: ast.AST, names: Mapping[str, str]) -> str:
    """The dotted name that a node reads or imports; "" where it is none."""
    match node:
        case ast.Import(names=[first, *_]):
            return first.name
        case ast.ImportFrom(module=str(module), level=0, names=[first, *_]):
            return f"{module}.{first.name}"
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            return f"{_name(value, names)}.{attr}"
    return ""


def _is_safe(node: ast.AST, tree: ast.AST) -> bool:
    """Whether a name is `torch.load` of a call that reads tensors alone, and says so."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.func is node and ast.unparse(node) == "torch.load":
            said = {item.arg: item.value for item in call.keywords}.get("weights_only")
            return isinstance(said, ast.Constant) and said.value is True
    return False
