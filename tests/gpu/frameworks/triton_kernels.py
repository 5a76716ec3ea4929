#!/usr/bin/env python3
"""Kernels written in Triton: element-wise, reductions, a product with autotuning, atomics."""
import os
import tempfile

FOLDER = tempfile.TemporaryDirectory()
os.environ["TRITON_CACHE_DIR"] = FOLDER.name  # the compilation belongs to what is tried

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")
triton = need("triton")
tl = need("triton.language")


@triton.jit
def add_kernel(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)


@triton.jit
def softmax_kernel(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + at, mask=at < columns, other=-float("inf"))
    powers = tl.exp(values - tl.max(values, 0))
    tl.store(out + row * columns + at, powers / tl.sum(powers, 0), mask=at < columns)


@triton.autotune(configs=[triton.Config({"SIDE": side}, num_warps=warps) for side, warps in ((32, 4), (64, 4))], key=["n"])
@triton.jit
def product_kernel(a, b, c, n, SIDE: tl.constexpr):
    rows = tl.program_id(0) * SIDE + tl.arange(0, SIDE)
    columns = tl.program_id(1) * SIDE + tl.arange(0, SIDE)
    total = tl.zeros((SIDE, SIDE), dtype=tl.float32)
    for start in range(0, n, SIDE):
        inner = start + tl.arange(0, SIDE)
        total += tl.dot(tl.load(a + rows[:, None] * n + inner[None, :]), tl.load(b + inner[:, None] * n + columns[None, :]))
    tl.store(c + rows[:, None] * n + columns[None, :], total)


@triton.jit
def count_kernel(x, counts, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.atomic_add(counts + tl.load(x + at, mask=inside, other=0), 1, mask=inside)


@case
def add():
    torch.manual_seed(19)
    x, y = torch.rand(98_432, device="cuda"), torch.rand(98_432, device="cuda")
    out = torch.empty_like(x)
    add_kernel[(triton.cdiv(98_432, 1024),)](x, y, out, 98_432, BLOCK=1024)
    holds("add is exact", torch.equal(out, x + y))


@case
def softmax():
    torch.manual_seed(20)
    x = torch.randn(777, 781, device="cuda")
    out = torch.empty_like(x)
    softmax_kernel[(777,)](x, out, 781, BLOCK=1024)
    holds("softmax is near", torch.allclose(out, torch.softmax(x, 1), atol=1e-6))
    tell("softmax", out)


@case
def product():
    torch.manual_seed(21)
    n = 256
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.float16) for _ in range(2))
    c = torch.empty(n, n, device="cuda", dtype=torch.float32)
    product_kernel[lambda meta: (n // meta["SIDE"], n // meta["SIDE"])](a, b, c, n)
    holds("product is near", torch.allclose(c, a.float() @ b.float(), atol=0.1, rtol=1e-2))


@case
def atomics():
    torch.manual_seed(22)
    x = torch.randint(0, 100, (100_000,), device="cuda", dtype=torch.int32)
    counts = torch.zeros(100, device="cuda", dtype=torch.int32)
    count_kernel[(triton.cdiv(100_000, 1024),)](x, counts, 100_000, BLOCK=1024)
    holds("counts", torch.equal(counts.long(), torch.bincount(x.long(), minlength=100)))


if __name__ == "__main__":
    main()
