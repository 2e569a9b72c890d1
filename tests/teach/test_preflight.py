"""The preflight is right: each trap is found where it is, and nowhere else.

pytest tests/teach/test_preflight.py
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
import torch

import ftlab
from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.hub import reach
from ftlab.teach import preflight, traps
from ftlab.teach.timings import Timing, note

FINE: dict[str, str | None] = {
    "peft": "0.21.2",
    "torchao": "0.16.1",
    "ipywidgets": "8.1.9",
    "ipykernel": "7.4.0",
    "bitsandbytes": "0.50.2",
}
COLAB: dict[str, str | None] = FINE | {
    "torchao": "0.10.0",
    "ipywidgets": "7.7.1",
    "ipykernel": "6.17.1",
    "bitsandbytes": None,
}


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle machine, outside Colab, with the network off."""
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    monkeypatch.setattr(traps, "in_colab", lambda: False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def found(packages: dict[str, str | None], device: str = "cpu") -> dict[str, traps.Trap]:
    return {trap.name: trap for trap in traps.traps(packages, device)}


def intact(folder: Path) -> Path:
    (folder / "world").mkdir(parents=True)
    (folder / "world/probes.jsonl").write_text("{}\n")
    checksums.write(folder)
    return folder


# Traps


def test_a_fine_machine_has_no_traps() -> None:
    assert found(FINE) == {}


@pytest.mark.parametrize(
    ("version", "named"), [("0.10.0", True), ("0.15.9+cu1", True), ("0.16.0", False), (None, False)]
)
def test_an_old_torchao_beside_peft(monkeypatch, version: str | None, named: bool) -> None:
    packages = FINE | {"torchao": version}
    monkeypatch.setitem(sys.modules, "torchao", None)  # as `import ftlab` hides it
    assert ("torchao" in found(packages)) is named
    assert not named or not found(packages)["torchao"].harmful
    assert "torchao" not in found(packages | {"peft": None})
    monkeypatch.setitem(sys.modules, "torchao", ModuleType("torchao"))  # loaded before ftlab
    assert ("torchao" in found(packages)) is named
    assert not named or found(packages)["torchao"].harmful


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "in_colab", lambda: True)
    monkeypatch.setattr(traps, "installed", lambda: COLAB)
    monkeypatch.setitem(sys.modules, "torchao", None)
    monkeypatch.setattr(sys, "version_info", (3, 13, 5))


def test_what_lies_in_colab_has_its_cure_and_none_of_it_is_harmful(colab) -> None:
    lying = found(COLAB)
    names = {"torchao", "ipywidgets", "Stop button", "Colab's Python", "bitsandbytes"}
    assert set(lying) == names and not any(trap.harmful for trap in lying.values())
    assert "do not upgrade" in lying["ipywidgets"].cure
    assert "interrupt the cell" in lying["Stop button"].cure
    assert "3.13" in lying["Colab's Python"].found
    assert "no restart" in lying["bitsandbytes"].cure


@pytest.mark.parametrize(
    ("change", "name", "cure"),
    [({"ipywidgets": "8.1.9"}, "ipywidgets", "==7.7.1"), ({}, "Colab's Python", "runtime type")],
)
def test_hello_says_in_colab_what_is_harmful(
    colab, monkeypatch, capsys, change, name, cure
) -> None:
    ftlab.hello()
    assert len(capsys.readouterr().out.splitlines()) == 1
    monkeypatch.setattr(traps, "installed", lambda: COLAB | change)
    if not change:
        monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    ftlab.hello()
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{name}: ") and cure in line
    monkeypatch.setattr(traps, "in_colab", lambda: False)
    ftlab.hello()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_no_stop_is_heard_by_an_old_kernel_anywhere() -> None:
    assert not found(FINE | {"ipykernel": "6.30.1"})["Stop button"].harmful


HIDDEN = """
import importlib.util, sys
{first}
import ftlab
from ftlab.teach.traps import harmful
assert (importlib.util.find_spec("torchao") is None) is {hidden}
assert [trap.name for trap in harmful() if trap.name == "torchao"] == {harmful}
"""


@pytest.mark.parametrize(
    ("version", "first", "hidden", "harmful"),
    [
        ("0.10.0", "", True, []),
        ("0.10.0", "import torchao", False, ["torchao"]),
        ("0.16.0", "", False, []),
    ],
)
def test_an_old_torchao_is_hidden_from_this_process(
    tmp_path, version: str, first: str, hidden: bool, harmful: list[str]
) -> None:
    about = tmp_path / f"torchao-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torchao\nVersion: {version}\n")
    (tmp_path / "torchao").mkdir()
    (tmp_path / "torchao/__init__.py").write_text("")
    code = HIDDEN.format(first=first, hidden=hidden, harmful=harmful)
    env = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bitsandbytes_is_only_missed_where_it_is_needed() -> None:
    trap = found(FINE | {"bitsandbytes": None})["bitsandbytes"]
    assert not trap.harmful and "ftlab[quant]" in trap.cure


def test_busy_cores_are_said_unless_one_thread_is_set(monkeypatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert "OMP_NUM_THREADS=1" in found(FINE)["busy cores"].cure
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert found(FINE) == {}


@pytest.mark.parametrize(("capability", "named"), [((7, 5), True), ((8, 0), False)])
def test_a_t4_emulates_bfloat16(monkeypatch, capability, named: bool) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *a: capability)
    assert ("bfloat16" in found(FINE, "cuda")) is named


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("0.16.0", (0, 16, 0)), ("7.7.1", (7, 7, 1)), ("0.9rc1", (0, 9)), ("2.1.dev0+x", (2, 1))],
)
def test_releases_are_compared_by_their_leading_numbers(version, numbers) -> None:
    assert traps.release(version)[: len(numbers)][0] == numbers[0]
    assert traps.release(version) >= numbers[:2] or version == "0.9rc1"


# The report


def test_the_report_is_a_table_and_json(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_DATA", str(intact(tmp_path / "data")))
    report = preflight.preflight()
    assert report.device in ("cpu", "cuda")
    assert not report.broken, str(report)
    stored = json.loads(json.dumps(report.as_dict()))
    assert stored["broken"] is False and stored["packages"]["torch"] == torch.__version__
    names = [finding["name"] for finding in stored["findings"]]
    assert {"Python", "device", "precision", "free memory", "free disk", "Hub", "data"} <= {*names}
    assert all(len(line) < 200 for line in str(report).splitlines())


def test_damaged_and_missing_data_are_broken(tmp_path, monkeypatch) -> None:
    folder = intact(tmp_path / "data")
    monkeypatch.setenv("FTLAB_DATA", str(folder))
    assert preflight._data().status == "good"
    (folder / "world/probes.jsonl").write_text("{ }\n")
    finding = preflight._data()
    assert finding.status == "broken" and "world/probes.jsonl" in finding.value
    (folder / checksums.NAME).unlink()
    assert preflight._data().status == "broken"
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path / "none"))
    assert preflight._data().status == "broken"


def test_the_network_is_not_asked_when_told_to_be_offline(monkeypatch) -> None:
    monkeypatch.setattr(reach, "_ask", lambda *a: pytest.fail("asked"))
    assert "offline" in preflight._network().value


def test_a_dead_network_costs_two_seconds(monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    over = threading.Event()
    monkeypatch.setattr(reach, "_ask", lambda heard, seconds: over.wait(600))
    assert "does not answer" in preflight._network().value and not over.is_set()
    over.set()


def test_an_unknown_profile_is_a_slip(monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_PROFILE", "huge")
    with pytest.raises(InputError, match="nano, laptop, t4"):
        preflight.preflight()


@pytest.mark.parametrize(
    ("device", "capability", "name"),
    [("cuda", (7, 5), "fp16"), ("cuda", (8, 0), "bf16"), ("cpu", (0, 0), "fp32")],
)
def test_precision_is_that_of_the_hardware(monkeypatch, device, capability, name) -> None:
    from ftlab.base import machine

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *a: capability)
    assert machine.precision(device) == name


@pytest.mark.gpu
def test_the_gpu_is_described() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    words = preflight._device_words("cuda")
    assert torch.cuda.get_device_name() in words and "GB free" in words


def test_too_old_packages_are_named(monkeypatch) -> None:
    real = preflight.metadata.version
    needs = ["peft>=99", "numpy>=1.0", "nonesuch>=1", "pytest>=99; extra == 'test'"]
    monkeypatch.setattr(preflight.metadata, "requires", lambda name: needs)
    monkeypatch.setattr(preflight.metadata, "version", real)
    assert preflight.too_old() == ["peft>=99", "nonesuch>=1"]


# Minutes


def test_minutes_are_those_that_were_measured(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    monkeypatch.setattr(preflight, "busy", lambda: 0.0)
    minutes, (finding,) = preflight._minutes("nano")
    assert minutes == {} and "not measured on the profile nano" in finding.value
    note("00_start_here", Timing(30, cores=2))
    note("01_naive", Timing(90, cores=2))
    minutes, (finding,) = preflight._minutes("nano")
    assert minutes == {"00_start_here": 0.5, "01_naive": 1.5}
    assert finding.value == "00: 0.5, 01: 1.5 (on 2 CPU cores)"
    assert preflight._minutes("t4")[0] == {}


def test_busy_cores_are_named(monkeypatch) -> None:
    monkeypatch.setattr(preflight, "busy", lambda: 9.0)
    _, (load, _) = preflight._minutes("nano")
    assert load.status == "note" and "9.0" in load.value


# Quiet


def test_quiet_imports_nothing_and_silences_what_is_loaded() -> None:
    import logging
    import subprocess
    import sys

    code = (
        "import sys, os; from ftlab.base.quiet import quiet; quiet();"
        "assert not {'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules);"
        "assert os.environ['TRANSFORMERS_VERBOSITY'] == 'error'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    import transformers

    from ftlab.base.quiet import quiet

    transformers.logging.set_verbosity_info()
    quiet()
    assert transformers.logging.get_verbosity() == logging.ERROR


@pytest.mark.parametrize(
    ("capability", "asked", "line"),
    [
        ("7.5", "", "profile t4, on Tesla T4, training in fp16"),
        ("8.0", "", "profile t4, on Tesla T4, training in bf16"),
        ("8.0", "fp32", "profile t4, on Tesla T4, training in fp32"),
        (None, "", "profile nano, on the CPU, training in fp32"),
    ],
)
def test_hello_says_profile_device_and_precision(
    capability, asked, line, monkeypatch, capsys, tmp_path
) -> None:
    """A card is asked for by nvidia-smi, since loading torch takes seconds."""
    from ftlab.teach import hello

    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho 'Tesla T4, {capability}'\n" if capability else "#!/bin/sh\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(hello.metadata, "version", lambda _: "2.11.0")
    monkeypatch.delenv("FTLAB_PROFILE", raising=False)
    monkeypatch.setenv("FTLAB_PRECISION", asked)
    ftlab.hello()
    assert line in capsys.readouterr().out
