"""A package imports only from floors below it; what is costly or delicate is touched in few places."""

from __future__ import annotations

FLOORS = {
    "errors": 0,
    "atomic": 0,
    "exclusive": 0,
    "memory": 0,
    "types": 0,
    "config": 0,
    "registry": 0,
    "optional": 0,
    "audio": 1,
    "text": 1,
    "models": 2,
    "losses": 2,
    "data": 2,
    "checkpoints": 3,
    "captions": 3,
    "training": 4,
    "inference": 4,
    "evaluation": 5,
    "export": 5,
    "search": 5,
    "recipes": 6,
    "serving": 6,
    "cli": 7,
}
"""Room to floor. `openclap/__init__.py` stands above all of them: it only names where the public names live."""


def test_every_room_has_a_floor(modules):
    assert {module.room for module in modules} - {""} <= set(FLOORS)


def test_a_room_imports_only_from_floors_below_it(modules):
    wrong = [
        f"{module.name} (floor {FLOORS[module.room]}) imports {room or 'openclap itself'}"
        for module in modules
        if module.room
        for room in module.rooms
        if not _may_import(module.room, room)
    ]
    assert not wrong, "\n".join(wrong)


def test_training_knows_nothing_of_evaluation_and_use(modules):
    assert not [m.name for m in modules if m.room == "training" and m.rooms & {"evaluation", "inference"}]


def test_use_needs_nothing_of_training(modules):
    rooms = {"inference", "search", "serving"}
    assert not [m.name for m in modules if m.room in rooms and m.rooms & {"training", "losses"}]


def test_only_four_rooms_touch_transformers(modules):
    allowed = ("openclap.text", "openclap.models.text", "openclap.checkpoints", "openclap.captions")
    assert not [m.name for m in modules if m.uses("transformers") and not m.name.startswith(allowed)]


def test_only_the_distributed_module_touches_torch_distributed(modules):
    assert not [m.name for m in modules if m.uses("torch.distributed") and m.name != "openclap.training.distributed"]


def test_models_and_losses_read_no_files(modules):
    readers = ("pathlib", "os", "io", "shutil", "soundfile", "safetensors", "huggingface_hub")
    rooms = {"models", "losses"}
    assert not [(m.name, r) for m in modules if m.room in rooms for r in readers if m.uses(r)]


def test_the_library_says_nothing_on_its_own(modules):
    """Typer and the terminal belong to the command line; training alone draws its progress with rich."""
    assert not [m.name for m in modules if m.uses("typer") and m.room != "cli"]
    assert not [m.name for m in modules if m.uses("rich") and m.room not in {"cli", "training"}]


def _may_import(importer: str, imported: str) -> bool:
    if not imported:
        return importer == "cli" or FLOORS[importer] > 2  # openclap.__version__, for provenance and results
    floor = FLOORS[importer]
    return FLOORS[imported] < floor or floor == FLOORS[imported] == 0
