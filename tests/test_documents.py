"""What the documents show, runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_python_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_map_names_every_module() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    for module in sorted((ROOT / "src" / "difficulty_model").glob("*.py")):
        if module.stem not in {"__init__", "__main__"}:
            assert module.name in text, f"docs/map.md does not name {module.name}"


def test_the_map_names_every_module_of_inference() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    for entry in sorted((ROOT / "inference" / "difficulty_inference").iterdir()):
        if entry.suffix == ".py" and entry.stem != "__init__":
            assert f"`{entry.name}`" in text, f"docs/map.md does not name {entry.name}"
        elif entry.is_dir() and entry.stem != "__pycache__":
            assert f"`{entry.name}/`" in text, f"docs/map.md does not name {entry.name}/"
