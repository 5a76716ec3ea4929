"""Kernel launches and host functions."""

fn("""CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int
   gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int
   sharedMemBytes, CUstream hStream, void **kernelParams, void **extra)""",
   local(), since=4000, ptsz=7000)
fn("CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra)",
   local(), since=11060, ptsz=11060)
fn("""CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned
   int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int
   sharedMemBytes, CUstream hStream, void **kernelParams)""",
   local(), since=9000, ptsz=9000)
fn("CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void *userData)", local(), since=10000, ptsz=10000)
fn("""CUresult cuStreamAddCallback(CUstream hStream, CUstreamCallback callback, void *userData, unsigned int
   flags)""",
   local(), since=5000, ptsz=7000)
fn("CUresult cuFuncSetBlockShape(CUfunction hfunc, int x, int y, int z)",
   local(), since=2000)
fn("CUresult cuFuncSetSharedSize(CUfunction hfunc, unsigned int bytes)",
   local(), since=2000)
fn("CUresult cuLaunch(CUfunction f)", local(), since=2000)
fn("""CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *launchParamsList, unsigned int
   numDevices, unsigned int flags)""",
   local(), since=9000)
fn("CUresult cuLaunchGrid(CUfunction f, int grid_width, int grid_height)",
   local(), since=2000)
fn("CUresult cuLaunchGridAsync(CUfunction f, int grid_width, int grid_height, CUstream hStream)",
   local(), since=2000)
fn("CUresult cuParamSetSize(CUfunction hfunc, unsigned int numbytes)",
   local(), since=2000)
fn("CUresult cuParamSetTexRef(CUfunction hfunc, int texunit, CUtexref hTexRef)",
   local(), since=2000)
fn("CUresult cuParamSetf(CUfunction hfunc, int offset, float value)", local(), since=2000)
fn("CUresult cuParamSeti(CUfunction hfunc, int offset, unsigned int value)",
   local(), since=2000)
fn("CUresult cuParamSetv(CUfunction hfunc, int offset, void *ptr, unsigned int numbytes)",
   local(), since=2000)

message("Launch", "post", "u64 function, u32 grid_x, u32 grid_y, u32 grid_z, u32 block_x, u32 block_y, u32 block_z, u32 shared_bytes, u64 stream, u32 flags, bytes attributes, bytes arguments",
        doc="A kernel launch of any kind; arguments are the packed parameter block, attributes an array of CUlaunchAttribute whose events are names.")
message("HostFunction", "post", "u64 ticket, u64 stream, u32 kind",
        doc="The stream waits here until the client has run the function of this ticket. Kind 0: once; 1: once, told the stream's status; 2: recorded by a capture.")
message("HostFunctionDone", "post", "u64 pass", doc="The client has run it.")
message("HostFunctionDue", "event", "u64 ticket, u64 pass, i32 status", doc="A stream or graph has come to a host function: the pass is this time's number.")

gap("kernel nodes that the GPU updates (`CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE`)",
    "the driver answers each such launch with a handle for kernels, and a launch is not answered")
