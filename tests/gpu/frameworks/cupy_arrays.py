#!/usr/bin/env python3
"""CuPy: kernels from source, FFT, sorting, sparse matrices, random numbers, pools, streams."""
from result import case, holds, main, need, tell

numpy = need("numpy")
cupy = need("cupy")


@case
def raw_kernel():
    source = r"""
    extern "C" __global__ void scale(const float* x, float* y, float by, int n) {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = x[i] * by;
    }"""
    x = cupy.arange(10_000, dtype=cupy.float32)
    y = cupy.empty_like(x)
    cupy.RawKernel(source, "scale")((79,), (128,), (x, y, cupy.float32(3), numpy.int32(10_000)))
    holds("raw kernel", bool((y == 3 * x).all()))


@case
def raw_module():
    source = r"""
    __constant__ int offset;
    template <typename T> __global__ void shift(T* x, int n) {
        for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] += offset;
    }"""
    module = cupy.RawModule(code=source, options=("-std=c++17",), name_expressions=("shift<double>",))
    memory = module.get_global("offset")
    cupy.ndarray((1,), cupy.int32, memory)[0] = 42
    x = cupy.zeros(100, dtype=cupy.float64)
    module.get_function("shift<double>")((1,), (32,), (x, numpy.int32(100)))
    holds("constant and template", bool((x == 42).all()))


@case
def generated_kernels():
    x = cupy.linspace(0, 1, 5000)
    square = cupy.ElementwiseKernel("float64 x", "float64 y", "y = x * x", "square_of")
    tell("element-wise", square(x))
    norm = cupy.ReductionKernel("float64 x", "float64 y", "x * x", "a + b", "y = sqrt(a)", "0", "norm_of")
    tell("reduction", norm(x))

    @cupy.fuse
    def damped(a, b):
        return cupy.exp(-a) * b + a

    tell("fused", damped(x, x))


@case
def random_numbers():
    generator = cupy.random.default_rng(5)
    tell("generator", generator.standard_normal(10_000))
    cupy.random.seed(6)
    tell("legacy normal", cupy.random.randn(1000))
    tell("legacy integers", cupy.random.randint(0, 1000, 1000))
    tell("permutation", cupy.random.permutation(1000))


@case
def fft():
    cupy.random.seed(7)
    x = cupy.random.rand(64, 1000)
    tell("forward", cupy.fft.fft(x))
    tell("real", cupy.fft.rfft(x))
    tell("two dimensions", cupy.fft.fft2(x))
    holds("inverse", float(abs(cupy.fft.ifft(cupy.fft.fft(x)) - x).max()) < 1e-12)


@case
def sorting():
    cupy.random.seed(8)
    x = cupy.random.rand(100_000)
    tell("sort", cupy.sort(x))
    tell("argsort", cupy.argsort(x))
    tell("unique", cupy.unique(cupy.random.randint(0, 500, 10_000)))
    tell("partition", cupy.sort(cupy.partition(x, 100)[:100]))
    tell("scan", cupy.cumsum(cupy.arange(100_000)))


@case
def linear_algebra():
    cupy.random.seed(9)
    a = cupy.random.rand(200, 200)
    tell("product", a @ a)
    tell("singular values", cupy.linalg.svd(a, compute_uv=False))
    tell("solve", cupy.linalg.solve(a, a[:, 0]))
    tell("eigenvalues", cupy.linalg.eigvalsh(a + a.T))
    tell("einsum", cupy.einsum("ij,kj->ik", a[:50], a[50:100]))


@case
def sparse():
    module = need("cupyx.scipy.sparse")
    cupy.random.seed(10)
    dense = cupy.random.rand(300, 300)
    dense[dense < 0.9] = 0
    matrix = module.csr_matrix(dense)
    vector = cupy.random.rand(300)
    tell("times a vector", matrix @ vector)
    holds("near the dense one", bool(cupy.allclose(matrix @ vector, dense @ vector)))
    tell("times itself", (matrix @ matrix).toarray())
    tell("transposed", matrix.T.tocsr().data)


@case
def memory_and_streams():
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    x = cupy.ones(1 << 20, dtype=cupy.float32)
    tell("pool's use", pool.used_bytes())
    streams = [cupy.cuda.Stream(non_blocking=True) for _ in range(3)]
    sums = []
    for index, stream in enumerate(streams):
        with stream:
            sums.append((cupy.ones(1000) * index).sum())
    for stream in streams:
        stream.synchronize()
    holds("streams", [float(total) for total in sums] == [0.0, 1000.0, 2000.0])
    pinned = numpy.frombuffer(cupy.cuda.alloc_pinned_memory(4000), numpy.float32, 1000)
    pinned[:] = 7
    y = cupy.empty(1000, dtype=cupy.float32)
    y.set(pinned)
    holds("pinned", bool((y == 7).all()))
    tell("sum", x.sum())


@case
def pools_of_the_driver():
    with cupy.cuda.using_allocator(cupy.cuda.malloc_async):
        tell("stream-ordered allocation", cupy.arange(100_000).sum())
    with cupy.cuda.using_allocator(cupy.cuda.malloc_managed):
        tell("managed", cupy.arange(10_000).sum())


@case
def graph():
    stream = cupy.cuda.Stream(non_blocking=True)
    x = cupy.zeros(1000, dtype=cupy.float32)
    x += 1
    cupy.cuda.Stream.null.synchronize()
    with stream:
        stream.begin_capture()
        x += 1
        x *= 2
        captured = stream.end_capture()
        for _ in range(3):
            captured.launch(stream)
    stream.synchronize()
    holds("graph", bool((x == 22).all()), float(x[0]))


if __name__ == "__main__":
    main()
