"""Libraries and kernels: what CUDA runtimes since 12 load."""

fn("""CUresult cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jitOptions, void
   **jitOptionsValues, unsigned int numJitOptions, CUlibraryOption *libraryOptions, void
   **libraryOptionValues, unsigned int numLibraryOptions)""",
   local(), since=12000)
fn("""CUresult cuLibraryLoadFromFile(CUlibrary *library, const char *fileName, CUjit_option *jitOptions, void
   **jitOptionsValues, unsigned int numJitOptions, CUlibraryOption *libraryOptions, void
   **libraryOptionValues, unsigned int numLibraryOptions)""",
   local(), since=12000)
fn("CUresult cuLibraryUnload(CUlibrary library)", post(), since=12000, hand=CLIENT)
fn("CUresult cuLibraryGetKernel(CUkernel *pKernel, CUlibrary library, const char *name)", local(), since=12000)
fn("CUresult cuLibraryGetKernelCount(unsigned int *count, CUlibrary lib)", call(), since=12040, count=out())
fn("CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int numKernels, CUlibrary lib)",
   local(), since=12040)
fn("CUresult cuLibraryGetModule(CUmodule *pMod, CUlibrary library)", local(), since=12000)
fn("CUresult cuLibraryGetGlobal(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)",
   local(), since=12000)
fn("CUresult cuLibraryGetManaged(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)",
   local(), since=12000)
fn("CUresult cuLibraryGetUnifiedFunction(void **fptr, CUlibrary library, const char *symbol)",
   local(), since=12000)
fn("CUresult cuKernelGetFunction(CUfunction *pFunc, CUkernel kernel)", local(), since=12000)
fn("CUresult cuKernelGetLibrary(CUlibrary *pLib, CUkernel kernel)", local(), since=12050)
fn("CUresult cuKernelGetAttribute(int *pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev)",
   local(), since=12000)
fn("CUresult cuKernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev)",
   call(), since=12000, hand=CLIENT)
fn("CUresult cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice dev)", post(), since=12000)
fn("CUresult cuKernelGetName(const char **name, CUkernel hfunc)", local(), since=12030)
fn("CUresult cuKernelGetParamInfo(CUkernel kernel, size_t paramIndex, size_t *paramOffset, size_t *paramSize)",
   local(), since=12040)

message("KernelGet", "call", "u64 library, text name", "bytes facts", waits=True, doc="A kernel of a library with its parameter layout and attributes.")
message("KernelList", "call", "u64 library, u32 most", "bytes facts", waits=True, doc="The kernels of a library, described like KernelGet's.")
message("KernelFunction", "call", "u64 kernel", "bytes facts", waits=True, doc="The function of a kernel in the current context.")
message("LibraryModule", "call", "u64 library", "u64 module", waits=True, doc="The module of a library in the current context.")
message("LibraryUnload", "post", "u64 library", waits=True, doc="Ends a library and every kernel named under it.")
