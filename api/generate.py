#!/usr/bin/env python3
"""Generates everything that follows from the description.

usage: generate.py --out FOLDER      all generated sources, into the build folder
       generate.py --coverage FILE   the coverage page
       generate.py --coverage-nvml FILE   the same for NVML
       generate.py --lock            appends wire numbers for what is new to ids.lock
Exit code 1 and one line on a description that does not hold together."""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import dsl  # noqa: E402
import load  # noqa: E402
from gen import abi_check, client, coverage, declarations, driver_table, entry_table, error_texts, function_cases, handle_kinds, message_shapes, messages, nvml_coverage, nvml_entries, nvml_rows, printer, test_uses, worker  # noqa: E402


def outputs(d, ids):
    return {
        "cuda_types.gen.h": declarations.types(d),
        "cuda_api.gen.h": declarations.functions(d),
        "driver_table.gen.h": driver_table.header(d),
        "driver_table.gen.cpp": driver_table.source(d),
        "entry_table.gen.cpp": entry_table.emit(d),
        "libcuda.map": entry_table.version_script(d),
        "error_texts.gen.h": error_texts.emit(d),
        "handle_kinds.gen.h": handle_kinds.emit(d),
        "messages.gen.h": messages.emit(d, ids),
        "messages.gen.cpp": messages.names(d, ids),
        "client_remote.gen.h": client.remote_header(d),
        "client_remote.gen.cpp": client.remote_source(d),
        "client_hand.gen.h": client.hand_header(d),
        "client_entries.gen.cpp": client.entries(d),
        "worker_hand.gen.h": worker.hand_header(d),
        "worker_handlers.gen.cpp": worker.source(d, ids),
        "argument_printer.gen.h": printer.emit(d),
        "abi_check.gen.cpp": abi_check.emit(d),
        "function_cases.gen.cpp": function_cases.emit(d),
        "message_shapes.gen.h": message_shapes.header(),
        "message_shapes.gen.cpp": message_shapes.source(d, ids),
    }


def nvml_outputs(n):
    return {
        "nvml_types.gen.h": declarations.types(n, "NVML", ""),
        "nvml_api.gen.h": nvml_entries.api_header(n),
        "nvml_groups.gen.h": nvml_rows.groups_header(n),
        "nvml_table.gen.h": nvml_entries.table_header(n),
        "nvml_table.gen.cpp": nvml_entries.table_source(n),
        "nvml_hand.gen.h": nvml_entries.hand_header(n),
        "nvml_snapshot.gen.h": nvml_rows.client_header(n),
        "nvml_snapshot.gen.cpp": nvml_rows.client_source(n),
        "nvml_entries.gen.cpp": nvml_entries.entries(n),
        "nvml_abi_check.gen.cpp": nvml_entries.abi_check(n),
        "libnvidia-ml.map": nvml_entries.version_script(n),
        "monitor_rows.gen.h": nvml_rows.worker_header(n),
        "monitor_rows.gen.cpp": nvml_rows.worker_source(n),
    }


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:  # an unchanged file keeps its time: nothing is rebuilt
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spec", default=HERE / "spec" / "cuda", type=pathlib.Path)
    parser.add_argument("--nvml", default=HERE / "spec" / "nvml", type=pathlib.Path)
    parser.add_argument("--ids", default=HERE / "ids.lock", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--coverage", type=pathlib.Path)
    parser.add_argument("--coverage-nvml", type=pathlib.Path)
    parser.add_argument("--lock", action="store_true")
    options = parser.parse_args()
    try:
        d = load.description(options.spec)
        n = load.description(options.nvml)
        ids, _ = load.numbers(d, options.ids, append=options.lock)
    except dsl.SpecError as error:
        print(f"api: {error}", file=sys.stderr)
        return 1
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in (outputs(d, ids) | nvml_outputs(n)).items():
            write_if_changed(options.out / name, text)
        (options.out / "stamp").touch()
    if options.coverage:
        write_if_changed(options.coverage, coverage.emit(d, test_uses.find(d, HERE.parent)))
    if options.coverage_nvml:
        write_if_changed(options.coverage_nvml, nvml_coverage.emit(n))
    return 0


if __name__ == "__main__":
    sys.exit(main())
