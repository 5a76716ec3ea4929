#!/usr/bin/env python3
"""Numba's CUDA kernels: shared memory, atomics, streams, reductions, device functions, random numbers."""
from result import case, holds, main, need, tell

numpy = need("numpy")
cuda = need("numba.cuda")
numba = need("numba")


@case
def doubling():
    @cuda.jit
    def double(values):
        i = cuda.grid(1)
        if i < values.size:
            values[i] *= 2

    host = numpy.arange(1000.0)
    there = cuda.to_device(host)
    double[8, 128](there)
    holds("doubled", bool((there.copy_to_host() == host * 2).all()))
    double[8, 128](host)  # an array of the host, copied there and back by Numba
    holds("doubled in place", bool((host == 2 * numpy.arange(1000.0)).all()))


@case
def shared_memory():
    @cuda.jit
    def reverse(values, out):
        block = cuda.shared.array(128, numba.float32)
        i = cuda.threadIdx.x
        block[i] = values[cuda.blockIdx.x * 128 + i]
        cuda.syncthreads()
        out[cuda.blockIdx.x * 128 + i] = block[127 - i]

    host = numpy.arange(1280, dtype=numpy.float32)
    out = cuda.device_array(1280, numpy.float32)
    reverse[10, 128](cuda.to_device(host), out)
    holds("reversed", bool((out.copy_to_host() == host.reshape(10, 128)[:, ::-1].reshape(-1)).all()))


@case
def atomics():
    @cuda.jit
    def count(values, counts):
        i = cuda.grid(1)
        if i < values.size:
            cuda.atomic.add(counts, values[i], 1)

    values = numpy.random.default_rng(1).integers(0, 50, 10_000).astype(numpy.int32)
    counts = cuda.to_device(numpy.zeros(50, numpy.int32))
    count[79, 128](cuda.to_device(values), counts)
    holds("counts", bool((counts.copy_to_host() == numpy.bincount(values, minlength=50)).all()))


@case
def device_functions():
    @cuda.jit(device=True)
    def polynomial(x):
        return 3 * x * x + 2 * x + 1

    @cuda.jit
    def apply(values, out):
        i = cuda.grid(1)
        if i < values.size:
            out[i] = polynomial(values[i])

    values = numpy.linspace(0, 1, 1000)
    out = cuda.device_array(1000)
    apply[8, 128](cuda.to_device(values), out)
    tell("polynomial", out.copy_to_host())


@case
def streams():
    @cuda.jit
    def fill(values, number):
        i = cuda.grid(1)
        if i < values.size:
            values[i] = number

    parts = []
    for number in range(3):
        stream = cuda.stream()
        there = cuda.device_array(1000, numpy.int32, stream=stream)
        fill[8, 128, stream](there, number)
        parts.append((stream, there))
    right = True
    for number, (stream, there) in enumerate(parts):
        host = there.copy_to_host(stream=stream)
        stream.synchronize()
        right = right and bool((host == number).all())
    holds("each stream's own", right)


@case
def pinned_and_mapped():
    pinned = cuda.pinned_array(1000, numpy.float64)
    pinned[:] = 5
    there = cuda.to_device(pinned)
    holds("pinned", bool((there.copy_to_host() == 5).all()))

    @cuda.jit
    def increment(values):
        i = cuda.grid(1)
        if i < values.size:
            values[i] += 1

    mapped = cuda.mapped_array(1000, numpy.int32)
    mapped[:] = 41
    increment[8, 128](mapped)
    cuda.synchronize()
    holds("mapped", bool((mapped == 42).all()))


@case
def reduction():
    total = cuda.reduce(lambda a, b: a + b)
    holds("reduced", total(numpy.arange(10_000, dtype=numpy.int64)) == sum(range(10_000)))


@case
def random_numbers():
    random = need("numba.cuda.random")

    @cuda.jit
    def draw(states, out):
        i = cuda.grid(1)
        out[i] = random.xoroshiro128p_uniform_float32(states, i)

    out = cuda.device_array(512, numpy.float32)
    draw[4, 128](random.create_xoroshiro128p_states(512, seed=3), out)
    tell("uniform", out.copy_to_host())


if __name__ == "__main__":
    main()
