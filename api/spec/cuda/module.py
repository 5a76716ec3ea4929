"""Modules and functions."""

fn("CUresult cuModuleLoad(CUmodule *module, const char *fname)", local(), since=2000)
fn("CUresult cuModuleLoadData(CUmodule *module, const void *image)", local(), since=2000)
fn("""CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions, CUjit_option
   *options, void **optionValues)""",
   local(), since=2010)
fn("CUresult cuModuleLoadFatBinary(CUmodule *module, const void *fatCubin)", local(), since=2000)
fn("CUresult cuModuleUnload(CUmodule hmod)", post(), since=2000, hand=CLIENT)
fn("CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)", local(), since=11070)
fn("CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)", local(), since=2000)
fn("CUresult cuModuleGetFunctionCount(unsigned int *count, CUmodule mod)", call(), since=12040, count=out())
fn("CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned int numFunctions, CUmodule mod)",
   local(), since=12040)
fn("CUresult cuModuleGetGlobal_v2(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod, const char *name)",
   local(), since=3020)
fn("CUresult cuFuncGetModule(CUmodule *hmod, CUfunction hfunc)", call(), since=11000, hmod=out())
fn("CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)", local(), since=2020)
fn("CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)",
   call(), since=9000, hand=CLIENT)
fn("CUresult cuFuncSetCacheConfig(CUfunction hfunc, CUfunc_cache config)", post(), since=3000)
fn("CUresult cuFuncSetSharedMemConfig(CUfunction hfunc, CUsharedconfig config)", post(), since=4020)
fn("CUresult cuFuncGetName(const char **name, CUfunction hfunc)", local(), since=12030)
fn("CUresult cuFuncGetParamInfo(CUfunction func, size_t paramIndex, size_t *paramOffset, size_t *paramSize)",
   local(), since=12040)
fn("CUresult cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction function)", call(), since=12040, state=out())
fn("CUresult cuFuncLoad(CUfunction function)", call(), since=12040)
fn("CUresult cuModuleGetGlobal(CUdeviceptr_v1 *dptr, unsigned int *bytes, CUmodule hmod, const char *name)",
   refused("addresses of 32 bits"), since=2000, old=True)

message("ModuleLoad", "call", "u64 name, u32 as_library, u32 wrapper_version, bytes sizes, bytes options, bulk image", "i32 status, f32 wall_ms, text info_log, text error_log",
        waits=True,
        doc="A module or library, named by the client, from an image: sizes of its parts, then the parts, each padded to 8. Options are pairs of JIT option and value.")
message("ImageLoad", "call", "u64 name, u32 as_library, u32 wrapper_version, bytes sizes, bytes options, bytes digest", "u32 missing, i32 status, f32 wall_ms, text info_log, text error_log",
        waits=True,
        doc="ModuleLoad of an image that the server may have: its digest under the server's key instead of its bytes. Missing: nothing was done, send it.")
message("FunctionGet", "call", "u64 module, text name", "bytes facts", doc="A function of a module with its parameter layout and attributes.")
message("FunctionList", "call", "u64 module, u32 most", "bytes facts", doc="The functions of a module, described like FunctionGet's.")
message("GlobalGet", "call", "u64 owner, u32 of_library, u32 managed, text name", "u64 address, u64 byte_count, u32 is_managed", doc="A variable of a module or library.")
message("ModuleUnload", "post", "u64 module", waits=True, doc="Ends a module and every function named under it.")
