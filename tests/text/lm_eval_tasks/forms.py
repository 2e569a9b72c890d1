"""Which probes of a suite a task asks: the YAML files beside this one name these functions."""

from datasets import Dataset


def choices(probes: Dataset) -> Dataset:
    return probes.filter(lambda probe: probe["form"] != "cloze")


def clozes(probes: Dataset) -> Dataset:
    return probes.filter(lambda probe: probe["form"] == "cloze")
