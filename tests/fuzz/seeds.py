#!/usr/bin/env python3
"""What the fuzzers begin with, made anew each time.

usage: seeds.py FOLDER [--ptx-document PROGRAM]

Writes FOLDER/<target>/* and FOLDER/ptx.dict. The PTX comes from the catalogue of tests/ptx, which PROGRAM (the build's
tests/ptx_document) prints; without it there is a handful of modules."""

import argparse
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import zlib

MODULE = """.version 7.8
.target sm_80
.address_size 64
.visible .global .align 8 .u64 g = 7;
.visible .entry k(.param .u64 p, .param .u32 n)
{
    .reg .b64 %a; .reg .b32 %n, %t; .reg .pred %past; .shared .align 4 .b8 s[128];
    ld.param.u64 %a, [p]; ld.param.u32 %n, [n]; mov.u32 %t, %tid.x;
    setp.ge.u32 %past, %t, %n; @%past bra DONE; mad.wide.u32 %a, %t, 4, %a; st.global.u32 [%a], %t;
DONE: ret;
}
"""


def fatbin(entries):
    body = b""
    for kind, arch, payload, flags in entries:
        payload += b"\0" * (-len(payload) % 8)
        head = struct.pack("<HHIQ", kind, 0x101, 64, len(payload)) + bytes(12) + struct.pack("<I", arch) + bytes(8) + struct.pack("<Q", flags)
        body += head.ljust(64, b"\0") + payload
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def elf():
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 190, 1, 0, 64, 120, 0, 64, 56, 1, 64, 1, 0) + bytes(56 + 64)


def images():
    text = MODULE.encode() + b"\0"
    one = [fatbin([(1, 80, text, 0)]), fatbin([(2, 80, elf(), 0), (1, 90, text, 0)]), fatbin([(1, 80, zlib.compress(text), 0x8000)]),
           fatbin([(1, 80, text, 0x2000)]), elf(), text]
    return [bytes([8, 9]) + image for image in one]


def wires():
    hello = bytes.fromhex("4246534e01000000340000000000000000000000921000 00".replace(" ", "")) + bytes(range(32)) + b"\x07python3"
    welcome = bytes.fromhex("4246574c010000000a0000000000000000000000") + bytes(2)
    record = b"\x17\x03\x03\x00\x20" + bytes(32)
    run = struct.pack("<QQ", 0x200000000000, 4)
    return [b"\0" + hello, b"\1" + welcome, b"\2\x10" + run + b"abcd", b"\3\0" + record, b"\4" + struct.pack("<I", 1) + bytes(200),
            b"\5" + struct.pack("<I", 1) + bytes(100), b"\6" + struct.pack("<IIQQ", 1, 42, 4096, 1) + b"a", b"\7\2\0" + struct.pack("<iI", 0, 4) + b"abcd"]


def ptx(program):
    if program is None:
        return [MODULE.encode()]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--modules", folder], check=True, stdout=subprocess.DEVNULL)
        return [f.read_bytes() for i, f in enumerate(sorted(pathlib.Path(folder).glob("*.ptx"))) if i % 8]


def dictionary(modules):
    count = {}
    for text in modules:
        for word in set(re.findall(rb"[%.]?[a-z_][a-z0-9_.:]*", text)):
            count[word] = count.get(word, 0) + 1
    return "".join(f'"{w.decode()}"\n' for w, n in sorted(count.items()) if n > 1 and len(w) < 40)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ptx-document")
    options = parser.parse_args()
    modules = ptx(options.ptx_document)
    noise = random.Random(1)
    seeds = {"ptx": modules, "image": images(), "wire": wires(),
             "worker": [noise.randbytes(noise.choice([40, 200, 1000])) for _ in range(200)]}
    for target, inputs in seeds.items():
        (options.folder / target).mkdir(parents=True, exist_ok=True)
        for i, data in enumerate(inputs):
            (options.folder / target / f"seed{i}").write_bytes(data)
    (options.folder / "ptx.dict").write_text(dictionary(modules))


if __name__ == "__main__":
    main()
