"""What the clients of the chaos test run: a long sum on the GPU, step by step, compared with the same sum on the
processor. Prints "right" when both agree, "wrong" when they do not, "lost" with CUDA's error when the GPU went away."""
import ctypes
import select
import sys

SEED, STEPS = int(sys.argv[1]), int(sys.argv[2])
COUNT = 1024
MASK = 0xFFFFFFFF
PTX = b"""
.version 7.0
.target sm_70
.address_size 64
.visible .entry step(.param .u64 at, .param .u32 count, .param .u32 factor)
{
    .reg .pred %p;
    .reg .u32 %r<8>;
    .reg .u64 %d<4>;
    ld.param.u64 %d1, [at];
    ld.param.u32 %r1, [count];
    ld.param.u32 %r2, [factor];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.u32 %r6, %r3, %r4, %r5;
    setp.ge.u32 %p, %r6, %r1;
    @%p ret;
    mul.wide.u32 %d2, %r6, 4;
    add.u64 %d3, %d1, %d2;
    ld.global.u32 %r7, [%d3];
    mad.lo.u32 %r7, %r7, %r2, %r6;
    st.global.u32 [%d3], %r7;
    ret;
}
\0"""


class Lost(Exception):
    pass


def good(code):
    if code != 0:
        raise Lost("CUDA error %d" % code)


def compute():
    cuda = ctypes.CDLL("libcuda.so.1")
    context, module, function, address = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint64()
    good(cuda.cuInit(0))
    good(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    good(cuda.cuCtxSetCurrent(context))
    good(cuda.cuModuleLoadData(ctypes.byref(module), PTX))
    good(cuda.cuModuleGetFunction(ctypes.byref(function), module, b"step"))
    size = ctypes.c_size_t(4 * COUNT)
    good(cuda.cuMemAlloc_v2(ctypes.byref(address), size))
    here = [(SEED * 2654435761 + number) & MASK for number in range(COUNT)]
    there = (ctypes.c_uint32 * COUNT)(*here)
    good(cuda.cuMemcpyHtoD_v2(address, there, size))
    for step in range(STEPS):
        factor = (SEED + 2 * step) | 1
        values = ctypes.c_uint64(address.value), ctypes.c_uint32(COUNT), ctypes.c_uint32(factor & MASK)
        arguments = (ctypes.c_void_p * 3)(*(ctypes.addressof(value) for value in values))
        good(cuda.cuLaunchKernel(function, COUNT // 128, 1, 1, 128, 1, 1, 0, None, arguments, None))
        here = [(value * factor + number) & MASK for number, value in enumerate(here)]
        good(cuda.cuMemcpyDtoH_v2(there, address, size))
        if list(there) != here:
            return "wrong"
        select.select([], [], [], 0.25)
    return "right"


try:
    print(compute(), flush=True)
except Lost as error:
    print("lost: %s" % error, flush=True)
    sys.exit(3)
