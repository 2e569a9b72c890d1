"""Device, precision and profile follow the machine's capability, and FTLAB_PROFILE."""

import subprocess
import sys

import pytest
import torch

from ftlab.base import machine
from ftlab.base.errors import InputError


@pytest.fixture(autouse=True)
def no_profile_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FTLAB_PROFILE", raising=False)


def a_machine(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None) -> None:
    """Pretend to a GPU of this compute capability, or to none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)  # as a T4 says


@pytest.mark.parametrize(
    ("capability", "device", "precision", "name"),
    [
        (None, "cpu", "fp32", "nano"),
        ((7, 5), "cuda", "fp16", "t4"),  # T4
        ((8, 0), "cuda", "bf16", "t4"),  # A100
        ((12, 0), "cuda", "bf16", "t4"),
    ],
)
def test_follows_capability(monkeypatch, capability, device, precision, name):
    a_machine(monkeypatch, capability)
    assert machine.device() == device
    assert machine.precision() == precision
    assert machine.profile() == machine.PROFILES[name] and str(machine.profile()) == name
    assert machine.precision("cpu") == "fp32"


@pytest.mark.parametrize("name", ["nano", "laptop", "t4", " Laptop "])
def test_environment_decides(monkeypatch, name):
    monkeypatch.setenv("FTLAB_PROFILE", name)
    assert machine.profile().name == name.strip().lower()


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("FTLAB_PROFILE", "a100")
    with pytest.raises(InputError, match=r"FTLAB_PROFILE=a100 is not known.*nano, laptop, t4"):
        machine.profile()


def test_peak_memory_is_of_this_process():
    peak = machine.peak_memory("cpu")
    assert peak is None or 50e6 < peak < 1e12  # bytes, not KiB


def test_loads_no_torch():
    code = (
        "import sys, ftlab.base.machine, ftlab.record, ftlab.plan; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
