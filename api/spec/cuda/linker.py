"""The linker."""

fn("""CUresult cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t size, const char
   *name, unsigned int numOptions, CUjit_option *options, void **optionValues)""",
   local(), since=5050, old=True, same_as="cuLinkAddData_v2")
fn("""CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size, const char
   *name, unsigned int numOptions, CUjit_option *options, void **optionValues)""",
   local(), since=6050)
fn("""CUresult cuLinkAddFile(CUlinkState state, CUjitInputType type, const char *path, unsigned int
   numOptions, CUjit_option *options, void **optionValues)""",
   local(), since=5050, old=True, same_as="cuLinkAddFile_v2")
fn("""CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, unsigned int
   numOptions, CUjit_option *options, void **optionValues)""",
   local(), since=6050)
fn("CUresult cuLinkComplete(CUlinkState state, void **cubinOut, size_t *sizeOut)", local(), since=5050)
fn("""CUresult cuLinkCreate(unsigned int numOptions, CUjit_option *options, void **optionValues, CUlinkState
   *stateOut)""",
   local(), since=5050, old=True, same_as="cuLinkCreate_v2")
fn("""CUresult cuLinkCreate_v2(unsigned int numOptions, CUjit_option *options, void **optionValues,
   CUlinkState *stateOut)""",
   local(), since=6050)
fn("CUresult cuLinkDestroy(CUlinkState state)", local(), since=5050)

message("LinkCreate", "call", "u64 name, bytes options", doc="A linker, named by the client. Options are pairs of JIT option and value.")
message("LinkAdd", "call", "u64 link, u32 type, text name, bytes options, bulk data", "i32 status, text info_log, text error_log", doc="One input of a linker: a CUjitInputType and its bytes.")
message("LinkComplete", "call", "u64 link", "i32 status, f32 wall_ms, text info_log, text error_log, bytes image", doc="Links what was added.")
message("LinkDestroy", "post", "u64 link", doc="Ends a linker.")
